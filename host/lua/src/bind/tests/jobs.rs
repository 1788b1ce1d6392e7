//! Background functions and their schedules, as a configuration of trackalert sets them.

use schedule::{Missed, Schedule};

use super::*;

fn rows(role: Role, rows: &[(&str, &str)]) {
    let world = World::of(Daemon::Trackalert);
    for (code, expected) in rows {
        let found = run(&world.lua(role), code);
        let fine = match expected.strip_prefix("~") {
            Some(part) => found.contains(part),
            None => found == *expected,
        };
        assert!(fine, "{role:?}: {code}\n  gave {found}\n  not  {expected}");
    }
}

#[test]
fn what_is_wrong_is_an_error_where_it_acts() {
    rows(
        Role::Config,
        &[
            ("return cronScheduleBackgroundFunc('0 0 * * *', 'f')", "none"),
            ("return cronScheduleBackgroundFunc('1-5,7 */2 1 JAN mon', 'f', {})", "none"),
            ("cronScheduleBackgroundFunc('* * * *', 'f')", "~five fields"),
            ("cronScheduleBackgroundFunc('60 * * * *', 'f')", "~minute \"60\""),
            ("cronScheduleBackgroundFunc('5x * * * *', 'f')", "~minute \"5x\""),
            ("cronScheduleBackgroundFunc('0 0 31 2 *', 'f')", "~never run"),
            ("cronScheduleBackgroundFunc('0 0 * * *')", "~requires at least 2"),
            ("cronScheduleBackgroundFunc('0 0 * * *', 'f', { jitter = {} })", "~jitter cannot be a table"),
            ("cronScheduleBackgroundFunc('0 0 * * *', 'f', { 'overlap' })", "~options have names"),
            ("cronScheduleBackgroundFunc('0 0 * * *', 'f', { missed = true })", "~\"skip\" or \"run once\""),
            ("intervalScheduleBackgroundFunc('-1', 'f')", "~is no interval"),
            ("intervalScheduleBackgroundFunc('00:00:00', 'f')", "~without pause"),
            ("return intervalScheduleBackgroundFunc(24, 'f')", "none"),
            ("return setBackground('f', function() end)", "none"),
            ("setBackground('f', nil)", "~error"),
            ("return durationToSeconds('100:00:00')", "360000"),
            ("return durationToSeconds(10)", "36000"),
            ("return durationToSeconds('1:2:3')", "0"),
            ("return setNumReportThreads(3)", "none"),
            ("setReportQueueSize(-1)", "~setReportQueueSize: reports must be a whole number from 1 to"),
            ("setReportQueueSize(0)", "~not 0"),
            ("setReportQueueSize(0 / 0)", "~reports must be"),
            ("setReportQueueSize(10, -1)", "~setReportQueueSize: megabytes must be"),
        ],
    );
}

#[test]
fn workers_and_clients_check_the_arguments_only() {
    for role in [Role::Worker, Role::Client] {
        rows(
            role,
            &[
                ("return cronScheduleBackgroundFunc('nonsense', 'f')", "none"),
                ("cronScheduleBackgroundFunc('nonsense')", "~requires at least 2"),
                ("return intervalScheduleBackgroundFunc('nonsense', 'f')", "none"),
                ("return durationToSeconds('5:01')", "18060"),
            ],
        );
    }
    rows(Role::Worker, &[("setBackground('f', 'nobody')", "~no policy named \"nobody\"")]);
}

#[test]
fn schedules_accumulate_and_the_first_function_of_a_name_stays() {
    let world = World::of(Daemon::Trackalert);
    let text = "
        setBackground('one', function() return 1 end)
        setBackground('one', function() return 2 end)
        setBackground('byhand', function() end)
        cronScheduleBackgroundFunc('@daily', 'one', { timezone = 'UTC', missed = 'run once', overlap = true })
        intervalScheduleBackgroundFunc('0:10', 'one', { deadline = 90 })
        setNumSchedulerThreads(0)
        setReportQueueSize(10, 2)";
    run(&world.lua(Role::Config), text);
    let worker = world.lua(Role::Worker);
    run(&worker, text);
    run(&world.lua(Role::Worker), text);
    let (planned, threads, queue) =
        world.host.settings.read(|values| (values.planned(), values.scheduler_threads, values.report_queue));
    let names: Vec<&str> = planned.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["one", "one", "byhand"]);
    assert!(planned[0].options.overlap && planned[0].options.missed == Missed::RunOnce);
    assert_eq!(planned[1].options.deadline, Duration::from_secs(90));
    assert_eq!(planned[2].schedule, Schedule::ByHand);
    assert_eq!((threads, queue.reports, queue.bytes), (1, 10, 2 << 20));
    let hooks = hooks::get(&worker).unwrap();
    let Some([hooks::Member::Function(first)]) = hooks.background.get(&b"one"[..]).map(Vec::as_slice) else {
        panic!("{hooks:?}")
    };
    assert_eq!(first.call::<i32>(()).unwrap(), 1);
}
