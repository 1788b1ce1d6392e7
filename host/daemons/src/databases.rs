//! GeoIP databases, read again beside a configuration that is read again.

use std::sync::Arc;

use capabilities::Capabilities;
use capabilities::geoip::GeoIp;

/// Reads those databases again whose files have changed, beside the configuration that is being read, which may take long: at its
/// end this is done once more, as it may have other files for them. On a thread of the runtime that this is called in.
pub(crate) fn reload(capabilities: Arc<Capabilities>) {
    tokio::task::spawn_blocking(move || capabilities.geoip.reload());
}

/// While the configuration is read again. At its end they are read again in any case, also if it ends in a panic; what it has opened
/// is then not used.
pub(crate) struct Reading<'a>(&'a GeoIp);

impl<'a> Reading<'a> {
    /// It begins.
    pub(crate) fn of(geoip: &'a GeoIp) -> Self {
        geoip.read_again();
        Self(geoip)
    }

    /// The configuration is used, and so are the files that it named; or it is not.
    pub(crate) fn settle(&self, used: bool) {
        self.0.settle(used);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Nothing is left to settle if that was done.
        self.0.settle(false);
        self.0.reload();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    use capabilities::Log;

    use super::*;

    #[test]
    fn databases_are_read_again_also_if_the_file_cannot_be_read_for_a_mistake_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let (place, anew) = (folder.path().join("place.mmdb"), folder.path().join("new.mmdb"));
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../capabilities/testdata");
        let copy = |from: &str, to: &Path| {
            // Beside it and then in its place: another file.
            let beside = folder.path().join("beside");
            std::fs::copy(data.join(from), &beside).unwrap();
            std::fs::rename(beside, to).unwrap();
        };
        copy("GeoLite2-ASN-Test.mmdb", &place);
        copy("GeoLite2-ASN-Test.mmdb", &anew);
        let geoip = GeoIp::new(Log::discard());
        geoip.open(b"place", &place).unwrap();
        let city = || geoip.get(b"place").unwrap().city("2.125.160.216".parse().unwrap()).city;
        assert_eq!(city(), "");
        let failed = catch_unwind(AssertUnwindSafe(|| {
            let _reading = Reading::of(&geoip);
            geoip.open(b"new", &anew).unwrap();
            copy("GeoIP2-City-Test.mmdb", &place);
            panic!("a mistake");
        }));
        assert!(failed.is_err());
        assert_eq!((geoip.names(), city().as_str()), (vec!["place".into()], "Boxford"));
    }
}
