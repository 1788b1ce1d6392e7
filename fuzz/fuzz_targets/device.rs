//! Device strings of IMAP clients and mobile applications.

#![no_main]

use libfuzzer_sys::fuzz_target;
use login::{Attrs, device};

const VERSIONS: [&str; 6] = ["app.major", "app.minor", "imapc.major", "imapc.minor", "os.major", "os.minor"];

fuzz_target!(|device_id: &[u8]| {
    check(device_id, &device::imap(device_id), 6);
    check(device_id, &device::mobileapi(device_id), 8);
});

fn check(device_id: &[u8], attrs: &Attrs, keys: usize) {
    assert_eq!(attrs.len(), keys);
    assert!(attrs.is_sorted_by(|(left, _), (right, _)| left < right));
    for (key, value) in attrs {
        // Nothing is made up, and versions are numbers.
        assert!(value.is_empty() || device_id.windows(value.len()).any(|part| part == &value[..]));
        if VERSIONS.iter().any(|version| key == version) {
            assert!(value.iter().all(u8::is_ascii_digit), "{key}");
        }
    }
}
