//! A running daemon reads its file again, or builds one more state of it: what the body of the file does then.

use std::future::ready;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::BString;
use capabilities::lists::{Colour, Subject};
use capabilities::stats::{Answer, Db, Found, OnUnreachable, Remote, Step};
use policy::{Call, Progress};

use super::*;
use crate::configuration::load;
use crate::vm::Source;

fn file(text: &str) -> Source {
    Source::from_text(Path::new("wforce.conf"), text.as_bytes())
}

/// The same daemon, which reads its file again.
fn again(world: &World) -> World {
    let again = host(world.host.caps.clone());
    again.settings.read_again();
    World { host: Arc::new(again), written: world.written.clone() }
}

#[test]
fn a_state_that_is_built_anew_changes_nothing_that_is_live() {
    let caps = World::new().host.caps.clone();
    let text = "setNumLuaStates(1)
        newStringStatsDB('db', 600, 6, {n = 'int'})
        local db = getStringStatsDB('db')
        db:twAdd('k', 'n', 1)
        db:twSetMaxSize(1000)
        blacklistLogin('joe', 3600, 'by the file')
        unblacklistLogin('ann')
        setAllow(function(lt)
            blacklistLogin(lt.login, 3600, 'by the policy')
            db:twAdd('k', 'n', 10)
            return 0, '', '', {}
        end)";
    let configuration = load(&file(text), host(caps.clone())).unwrap();
    configuration.settings.seal();
    let (now, db) = (caps.clock.now(), caps.stats.get(b"db").unwrap());
    let listed = |login: &[u8]| caps.lists.black.check_login(now, login).is_some();
    assert_eq!(
        (db.get(now, b"k", b"n"), db.max_size(), listed(b"joe")),
        (2, 1000, true),
        "once for each state"
    );

    caps.lists.delete(Colour::Black, Subject::Login(b"joe"));
    caps.lists.add(now, Colour::Black, Subject::Login(b"ann"), 3600, b"meanwhile").unwrap();
    db.set_max_size(2000);
    let mut anew = configuration.source.build().unwrap();
    assert_eq!((db.get(now, b"k", b"n"), db.max_size()), (2, 2000));
    assert!(!listed(b"joe") && listed(b"ann"));

    // Its policy acts as those of the others do.
    let Progress::Finished(answer) = anew.start(Call::Allow(Arc::new(tuple()))) else { panic!("it waits") };
    answer.unwrap();
    assert!(listed(b"ahu"));
    assert_eq!(db.get(now, b"k", b"n"), 12);
}

#[test]
fn what_all_states_do_alike_is_kept_back_once() {
    // 40 MiB of reasons: for each of seven passes that would be more than is kept back.
    let text = "local reason = ('x'):rep(8 * 1024 * 1024)
        for n = 1, 5 do blacklistLogin('joe' .. n, 3600, reason) end
        unblacklistLogin('joe5')
        blacklistNetmask(newNetmask('192.0.2.0/24'), 3600, '')
        if pcall(blacklistNetmask, newNetmask('nonsense'), 3600, '') then error('it is checked at once') end";
    let world = again(&World::new());
    let (settings, caps) = (world.host.settings.clone(), world.host.caps.clone());
    let host = Host { settings: settings.clone(), ..host(caps.clone()) };
    assert_eq!(load(&file(text), host).unwrap().engines.len(), 6);
    let listed = |login: &[u8]| caps.lists.black.check_login(caps.clock.now(), login).is_some();
    assert!(!listed(b"joe1"));
    settings.settle().unwrap().apply(&caps);
    assert!(listed(b"joe1") && listed(b"joe4") && !listed(b"joe5"));
}

#[test]
fn a_db_in_memory_does_not_move_to_a_server() {
    let world = World::new();
    run(&world.lua(Role::Config), "newStringStatsDB('old', 600, 6, {n = 'int'})");
    let again = again(&world);
    let backend = "{backend = 'redis://127.0.0.1:9'}";
    let make = |name: &str| format!("newStringStatsDB('{name}', 600, 6, {{n = 'int'}}, {backend})");
    assert_eq!(run(&again.lua(Role::Config), &format!("{} {}", make("old"), make("new"))), "none");
    let outside = |name: &str| world.host.caps.stats.get(name.as_bytes()).unwrap().is_outside();
    assert!(!outside("old") && outside("new"));
    let names = |world: &World| -> Vec<BString> {
        world.host.settings.read(|values| values.remote_stats.iter().map(|(name, _)| name.clone()).collect())
    };
    assert_eq!(names(&again), ["new"]);
    assert!(world.log().contains("old: its counts stay in memory until a restart"), "{}", world.log());
    assert!(again.host.settings.waits());

    // Nor does it on the console, where it would only be said that it does.
    world.host.settings.seal();
    run(&world.lua(Role::Config), &make("old"));
    assert!(!outside("old") && names(&world).is_empty());
    assert!(world.printed().contains("old: its counts stay in memory"));
}

#[test]
fn another_report_store_waits_for_a_restart() {
    let world = World::new();
    let store = |path: &str| format!("setReportStore('embedded', {{path = '{path}'}})");
    run(&world.lua(Role::Config), &store("one"));
    let again = again(&world);
    run(&again.lua(Role::Config), &store("two"));
    let described = world.host.caps.reports.described().unwrap();
    assert!(described.ends_with("in one"), "{described}");
    let of = |world: &World| world.host.settings.read(|values| values.report_store.clone());
    assert!(of(&again).is_some() && of(&again) != of(&world));
}

/// A server that notes how often it is asked.
#[derive(Default)]
struct Elsewhere(AtomicUsize);

impl Remote for Elsewhere {
    fn ask(&self, _: u64, _: u32, steps: Vec<Step>) -> Answer<Vec<Found>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(ready(Ok(steps.iter().map(|step| step.ask.nothing()).collect())))
    }

    fn all_of(&self, _: u64, _: BString) -> Answer<Vec<(BString, i32)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn size(&self, _: u64) -> Answer<u64> {
        Box::pin(ready(Ok(0)))
    }

    fn on_unreachable(&self) -> OnUnreachable {
        OnUnreachable::Open
    }

    fn place(&self) -> String {
        "elsewhere".to_owned()
    }
}

#[test]
fn what_the_file_counts_itself_does_not_go_to_the_server() {
    let world = World::new();
    run(&world.lua(Role::Config), "newStringStatsDB('db', 600, 6, {n = 'int'})");
    let (caps, elsewhere) = (&world.host.caps, Arc::new(Elsewhere::default()));
    let db: Db = caps.stats.get(b"db").unwrap();
    db.will_be_outside();
    assert!(db.keep_in(elsewhere.clone()));
    let again = again(&world);
    let count = "local db = getStringStatsDB('db')
        db:twAdd('k', 'n', 5) db:twSub('k', 'n', 1) db:twAdd('gone', 'n', 1) db:twReset('gone')
        return pcall(db.twAdd, db, 'k', 'n', 'abc')";
    for role in [Role::Config, Role::Worker] {
        assert!(run(&again.lua(role), count).starts_with("false "), "{role:?}");
    }
    again.host.settings.settle().unwrap().apply(caps);
    assert_eq!(elsewhere.0.load(Ordering::Relaxed), 0);
    let local = |key: &[u8]| db.local().get(caps.clock.now(), key, b"n");
    assert_eq!((local(b"k"), local(b"gone")), (8, 0), "in memory, once for each state, as at a start");
}
