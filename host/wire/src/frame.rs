//! Console frames: the length of a box as two bytes, most significant first, then the box. No nonce is in them.

use crate::TAG_BYTES;

/// Bytes before the box.
pub const LENGTH_BYTES: usize = 2;

/// The longest box two bytes can announce.
pub const MAX_BOX_BYTES: usize = u16::MAX as usize;

/// The longest text in a frame: 65519 bytes. wforce lets the length of a longer one wrap, and its client breaks.
pub const MAX_TEXT_BYTES: usize = MAX_BOX_BYTES - TAG_BYTES;

/// Why bytes are no frame, or fit in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame announces a box that is shorter than its tag; zero is one of these.
    #[error("a frame announces a box of {0} bytes, a box has at least {TAG_BYTES}")]
    TooShort(usize),
    /// The box does not fit.
    #[error("a box of {0} bytes does not fit in a frame, {MAX_BOX_BYTES} do")]
    TooLong(usize),
}

/// The frame around a box.
///
/// # Errors
/// [`FrameError`] when the box is longer than [`MAX_BOX_BYTES`] or shorter than a tag.
pub fn encode_frame(sealed: &[u8]) -> Result<Vec<u8>, FrameError> {
    if sealed.len() < TAG_BYTES {
        return Err(FrameError::TooShort(sealed.len()));
    }
    let length = u16::try_from(sealed.len()).map_err(|_| FrameError::TooLong(sealed.len()))?;
    Ok([&length.to_be_bytes()[..], sealed].concat())
}

/// The length of the box that follows these first two bytes of a frame.
///
/// # Errors
/// [`FrameError::TooShort`] when no box can be that short.
pub fn box_length(head: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    let length = usize::from(u16::from_be_bytes(head));
    if length < TAG_BYTES { Err(FrameError::TooShort(length)) } else { Ok(length) }
}

/// A box, and the bytes after its frame.
pub type Taken<'a> = (&'a [u8], &'a [u8]);

/// The box of the first frame in `bytes` and what comes after that frame; `None` while the frame is not complete.
///
/// # Errors
/// [`FrameError::TooShort`] when the frame announces a box that cannot be one.
pub fn decode_frame(bytes: &[u8]) -> Result<Option<Taken<'_>>, FrameError> {
    let Some((head, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    Ok(rest.split_at_checked(box_length(*head)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_longest_box_fits_and_a_longer_one_does_not() {
        let frame = encode_frame(&vec![1; MAX_BOX_BYTES]).unwrap();
        assert_eq!(frame[..3], [0xff, 0xff, 1]);
        assert_eq!(encode_frame(&vec![1; MAX_BOX_BYTES + 1]), Err(FrameError::TooLong(65536)));
        assert_eq!(encode_frame(&[1; 15]), Err(FrameError::TooShort(15)));
    }

    #[test]
    fn frames_are_taken_one_after_the_other() {
        let mut bytes = encode_frame(&[1; 16]).unwrap();
        bytes.extend(encode_frame(&[2; 20]).unwrap());
        let (first, rest) = decode_frame(&bytes).unwrap().unwrap();
        assert_eq!(first, [1; 16]);
        let (second, rest) = decode_frame(rest).unwrap().unwrap();
        assert_eq!((second, rest), (&[2; 20][..], &[][..]));
        for cut in 0..18 {
            assert_eq!(decode_frame(&bytes[..cut]).unwrap(), None, "{cut} bytes are not a frame yet");
        }
    }

    #[test]
    fn a_box_shorter_than_its_tag_is_no_box() {
        assert_eq!(decode_frame(&[0, 0]), Err(FrameError::TooShort(0)));
        assert_eq!(decode_frame(&[0, 15, 1, 2, 3]), Err(FrameError::TooShort(15)));
    }
}
