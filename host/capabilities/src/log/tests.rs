#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;

use super::screen::Screen;
use super::*;

const LONG: Duration = Duration::from_mins(1);

fn options() -> Options {
    Options { syslog: None, ..Options::new("wforce") }
}

fn logged(options: Options, write: impl FnOnce(&Log)) -> String {
    let screen = Screen::default();
    let log = Log::start_with(options, Box::new(screen.clone())).unwrap();
    write(&log);
    assert!(log.flush(LONG));
    screen.text()
}

#[test]
fn stdout_gets_bare_text_up_to_its_level() {
    let text = logged(options(), |log| {
        log.error("one");
        log.info(b"t\xffwo");
        log.log(Level::Debug, "hidden");
        log.debug("hidden");
        log.vinfo("hidden");
        assert!(log.flush(LONG));
        log.set_stdout(Some(Level::Debug));
        log.debug("hidden");
        log.log(Level::Debug, "three");
        assert!(log.flush(LONG));
        log.set_stdout(None);
        log.log(Level::Emerg, "hidden");
    });
    assert_eq!(text, "one\nt\u{fffd}wo\nthree\n");
}

#[test]
fn only_a_verbose_log_has_verbose_lines() {
    let text = logged(Options { verbose: true, stdout: Some(Level::Debug), ..options() }, |log| {
        log.vinfo("one");
        log.debug("two");
    });
    assert_eq!(text, "one\ntwo\n");
}

#[test]
fn pairs_follow_the_text() {
    let text = logged(options(), |log| {
        log.log_fields(Level::Info, b"msg", &[("a", "1"), ("b", "2\"")]);
        log.log_fields::<&str, &str>(Level::Info, b"msg", &[]);
    });
    assert_eq!(text, "msg: a=\"1\" b=\"2\"\" \nmsg\n");
}

#[test]
fn nobody_writes_lines_of_their_own() {
    let forged = "a\nallowLog forged: allow=\"0\"\r\t\x1b[2J\x7f";
    let line = Line {
        at: SystemTime::UNIX_EPOCH,
        level: Level::Notice,
        text: format!("allowLog : login=\"{forged}\"").into_bytes(),
        fields: vec![(b"k\n".to_vec(), forged.as_bytes().to_vec())],
    };
    let zone = jiff::tz::TimeZone::UTC;
    let escaped = r#"a\nallowLog forged: allow="0"\x0d\x09\x1b[2J\x7f"#;
    let mut forms = [const { Vec::new() }; 3];
    line.write_text(&mut forms[0]);
    line.write_docker(&zone, &mut forms[1]);
    line.write_syslog(Facility::DAEMON, "wforce", 7, &zone, &mut forms[2]);
    for form in forms {
        let text = String::from_utf8(form).unwrap();
        assert!(text.ends_with(&format!(r#"allowLog : login="{escaped}": k\n="{escaped}" "#)), "{text}");
    }
}

#[test]
fn docker_lines_start_with_the_local_time() {
    let text = logged(Options { format: Format::Docker, ..options() }, |log| log.info("hello"));
    let pattern: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(pattern, "[0000-00-00 00:00:00,000] hello\n");
}

#[test]
fn json_lines_are_objects() {
    let text = logged(Options { format: Format::Json, ..options() }, |log| {
        log.warn(b"a \"b\"\n\xff");
        log.log_fields(Level::Info, b"msg", &[("k", "v")]);
    });
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["level"], "warning");
    assert_eq!(lines[0]["message"], "a \"b\"\n\u{fffd}");
    assert_eq!(lines[0].get("fields"), None);
    assert!(lines[0]["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(lines[1]["message"], "msg");
    assert_eq!(lines[1]["fields"]["k"], "v");
}

#[test]
fn forms_of_a_line() {
    let line = Line {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_787_879_123),
        level: Level::Notice,
        text: b"text".to_vec(),
        fields: Vec::new(),
    };
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(&|out| line.write_docker(&zone, out)), "[2025-11-22 07:04:39,123] text");
    assert_eq!(
        written(&|out| line.write_syslog(Facility::DAEMON, "wforce", 7, &zone, out)),
        "<29>Nov 22 07:04:39 wforce[7]: text"
    );
    let local7 = "local7".parse().unwrap();
    let early = Line { at: SystemTime::UNIX_EPOCH, level: Level::Debug, ..line };
    assert_eq!(
        written(&|out| early.write_syslog(local7, "w", 1, &jiff::tz::TimeZone::UTC, out)),
        "<191>Jan  1 00:00:00 w[1]: text"
    );
    assert_eq!(
        written(&|out| early.write_json(out)),
        r#"{"time":"1970-01-01T00:00:00.000Z","level":"debug","message":"text"}"#
    );
}

#[test]
fn facilities_have_their_names() {
    let priority = |name: &str| name.parse::<Facility>().map(|facility| facility.priority(Level::Emerg));
    assert_eq!(priority("daemon"), Ok(24));
    assert_eq!(priority("mail"), Ok(16));
    assert_eq!(priority("local0"), Ok(128));
    assert_eq!(priority("LOG_LOCAL7"), Ok(184));
    assert_eq!(priority("authpriv"), Ok(80));
    assert_eq!(priority("local8").unwrap_err().to_string(), "Unknown syslog facility: local8");
    assert!(priority("").is_err());
}

#[test]
fn syslog_gets_every_level_and_survives_a_restart_of_its_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut buffer = [0; 256];
    let mut receive = |daemon: &UnixDatagram| {
        let length = daemon.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let quiet = Options { syslog: Some(path.clone()), stdout: None, ..options() };
    let log = Log::start_with(quiet, Box::new(std::io::sink())).unwrap();
    log.log(Level::Debug, "one");
    let line = receive(&daemon);
    assert!(
        line.starts_with("<31>") && line.ends_with(&format!(" wforce[{}]: one", std::process::id())),
        "{line}"
    );

    drop(daemon);
    std::fs::remove_file(&path).unwrap();
    let daemon = UnixDatagram::bind(&path).unwrap();
    log.error("two");
    let line = receive(&daemon);
    assert!(line.starts_with("<27>") && line.ends_with(": two"), "{line}");
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_missing_syslog_socket_is_no_loss() {
    let quiet = Options { syslog: Some(PathBuf::from("/nonexistent/log")), ..options() };
    assert_eq!(logged(quiet, |log| log.info("still on stdout")), "still on stdout\n");
}

/// A stdout that takes nothing until it is told to.
struct Stuck(mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_stdout_drops_lines_and_never_blocks_callers() {
    let (free, stuck) = mpsc::channel();
    let log = Log::start_with(options(), Box::new(Stuck(stuck))).unwrap();
    for _ in 0..40_000 {
        log.info("x");
    }
    let dropped = log.dropped();
    assert!((40_000 - 16_384..=40_000).contains(&dropped), "{dropped}");
    assert!(!log.flush(Duration::from_millis(1)));
    drop(free);
    assert!(log.flush(LONG));
    log.info("x");
    assert_eq!(log.dropped(), dropped);
}

#[test]
fn huge_lines_are_bounded_by_bytes() {
    let (free, stuck) = mpsc::channel();
    let log = Log::start_with(options(), Box::new(Stuck(stuck))).unwrap();
    let huge = vec![b'x'; 1 << 20];
    for _ in 0..1000 {
        log.info(&huge);
    }
    assert!(log.dropped() >= 700, "{}", log.dropped());
    drop(free);
}

#[test]
fn long_texts_and_values_are_cut() {
    let long = "\u{e9}".repeat(500_000);
    let write = |log: &Log| {
        log.info(&long);
        log.log_fields(Level::Info, b"msg", &[("a", long.as_str()), ("b", "2")]);
        let many = vec![("k", &long[..4096]); 1000];
        log.log_fields(Level::Info, b"many", &many);
    };
    let text = logged(options(), write);
    let cut = |most: usize| format!("{}...({} bytes cut)", &long[..most], long.len() - most);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], [cut(60 << 10), format!("msg: a=\"{}\" b=\"2\" ", cut(4096))]);
    assert!(lines[2].starts_with("many: k=") && lines[2].ends_with("\" left_out=\"986\" "));
    assert!(lines[2].len() < 64 << 10);
    let json = logged(Options { format: Format::Json, ..options() }, write);
    let line: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&line["fields"]["a"], &line["fields"]["b"]), (&cut(4096).into(), &"2".into()));
}

#[test]
fn repeated_lines_say_how_many_were_left_out() {
    let text = logged(options(), |log| {
        for _ in 0..5 {
            log.limited("key", Duration::from_hours(1), Level::Err, "same");
        }
        log.limited("key", Duration::ZERO, Level::Err, "same");
        log.limited("other", Duration::from_hours(1), Level::Err, "different");
    });
    assert_eq!(text, "same\nsame (4 similar suppressed)\ndifferent\n");
}

#[test]
fn dropping_the_log_writes_what_waits() {
    let screen = Screen::default();
    let log = Log::start_with(options(), Box::new(screen.clone())).unwrap();
    for _ in 0..1000 {
        log.info("x");
    }
    drop(log);
    assert_eq!(screen.text().lines().count(), 1000);
}

#[test]
fn a_discarding_log_takes_everything() {
    let log = Log::discard();
    log.error("nowhere");
    assert!(log.flush(Duration::ZERO));
    assert_eq!(log.dropped(), 0);
}
