//! Bodies of requests: JSON values, login tuples and custom arguments, read and written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use login::{CustomArgs, Decision, Login, LoginError, json};

fuzz_target!(|body: &[u8]| {
    let parsed = json::parse(body);
    let streamed = Login::parse(body);
    match &parsed {
        Ok(value) => {
            // Writing is a fixed point: what was written is read as itself, key order and numbers included.
            let written = value.to_vec();
            let again = json::parse(&written).expect("written JSON is read again");
            assert_eq!(again.to_vec(), written);
            assert_eq!(value.clone().into_owned().to_vec(), written);

            let args = CustomArgs::from_json(value);
            let mut out = Vec::new();
            args.write_json(&mut out);
            assert_eq!(
                CustomArgs::from_json(&json::parse(&out).expect("written arguments are read again")),
                args
            );

            if value.is_null() {
                assert!(matches!(streamed, Err(LoginError::Json(_))));
            } else {
                // One pass over the text and the detour over a value agree.
                assert_eq!(streamed, Login::from_json(value).map_err(LoginError::Addr));
            }
        }
        Err(error) => {
            assert_eq!(streamed, Err(LoginError::Json(error.clone())));
            assert!(!error.to_string().is_empty());
        }
    }
    if let Ok(login) = streamed {
        check_login(login);
    }
});

fn check_login(mut login: Login) {
    login::allow_line(b"phrase", &login, &Decision::default());
    login::report_line(&login, true);
    let mut out = Vec::new();
    login.write_json(&mut out);
    let again = Login::parse(&out).expect("a written login is read again");
    // Output always has the device attributes; and its numbers have no infinity.
    login.device_attrs_given = true;
    if !login.t.is_finite() {
        login.t = 0.0;
    }
    assert_eq!(again, login);
}
