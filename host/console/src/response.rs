//! What becomes of a response that is too long for a frame.

use wire::MAX_TEXT_BYTES;

/// The response as it fits in one frame. A longer one is cut and ends with a line that says so: wforce lets the length
/// wrap instead, and its client never understands anything again.
#[must_use]
pub fn fit(mut response: Vec<u8>) -> Vec<u8> {
    let found = response.len();
    if found <= MAX_TEXT_BYTES {
        return response;
    }
    let marker = format!("\n[cut here: the response has {found} bytes, a console shows {MAX_TEXT_BYTES}]\n");
    response.truncate(character_border(&response, MAX_TEXT_BYTES - marker.len()));
    response.extend_from_slice(marker.as_bytes());
    response
}

/// `place`, or up to three bytes before it where a UTF-8 character begins: half a character is rubbish on a terminal.
fn character_border(text: &[u8], place: usize) -> usize {
    let continues = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (place.saturating_sub(3)..=place).rev().find(|at| !continues(at)).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_that_fits_stays_as_it_is() {
        let longest = vec![b'x'; MAX_TEXT_BYTES];
        assert_eq!(fit(longest.clone()), longest);
        assert_eq!(fit(Vec::new()), b"");
    }

    #[test]
    fn a_longer_one_is_cut_and_says_so() {
        let cut = fit(vec![b'x'; 70_000]);
        assert_eq!(cut.len(), MAX_TEXT_BYTES);
        let end = b"x\n[cut here: the response has 70000 bytes, a console shows 65519]\n";
        assert!(cut.ends_with(end));
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for shift in 0..4 {
            let mut text = "x".repeat(shift);
            text.push_str(&"\u{1f511}".repeat(20_000));
            let cut = fit(text.into_bytes());
            assert!(cut.len() <= MAX_TEXT_BYTES);
            assert!(std::str::from_utf8(&cut).is_ok(), "shifted by {shift}");
        }
        let rubbish = fit(vec![0x80; 70_000]);
        assert_eq!(rubbish.len(), MAX_TEXT_BYTES);
    }
}
