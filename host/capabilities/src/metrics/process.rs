//! CPU time of this process.

/// CPU time used since the start, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CpuTime {
    /// In the program.
    pub user_msec: u64,
    /// In the kernel.
    pub sys_msec: u64,
}

/// Milliseconds of a clock tick in /proc: the kernel reports at `USER_HZ`, which is 100 on every Linux architecture that
/// Rust's standard library runs on.
const TICK_MSEC: u64 = 10;

impl CpuTime {
    /// Read from `/proc/self/stat` (proc(5), fields 14 and 15); zeros where that cannot be read.
    pub fn of_this_process() -> Self {
        std::fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| Self::parse(&stat))
            .unwrap_or_default()
    }

    fn parse(stat: &str) -> Option<Self> {
        // The command name may hold blanks and brackets: the fields start behind its last closing one.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let sys: u64 = fields.next()?.parse().ok()?;
        Some(Self { user_msec: user * TICK_MSEC, sys_msec: sys * TICK_MSEC })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn fields_are_found_behind_an_awkward_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 500 0 0 0 123 45 0 0 20 0 1 0 100 0 0";
        assert_eq!(CpuTime::parse(stat), Some(CpuTime { user_msec: 1230, sys_msec: 450 }));
        assert_eq!(CpuTime::parse("7 (a) S 1"), None);
        assert_eq!(CpuTime::parse(""), None);
    }

    #[test]
    fn it_grows_with_work() {
        let before = CpuTime::of_this_process();
        let mut sum = 0_u64;
        while CpuTime::of_this_process().user_msec <= before.user_msec {
            sum = std::hint::black_box(sum + 1);
        }
    }
}
