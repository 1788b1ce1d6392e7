#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::testing;

fn config(text: &str) -> PeerConfig {
    PeerConfig::new(Target::parse(text.as_bytes()).unwrap())
}

fn addresses(table: &Table) -> Vec<String> {
    table.rows().into_iter().map(|row| row.address).collect()
}

#[test]
fn siblings_are_added_removed_and_replaced() {
    let table = Table::new(&testing::context());
    table.add(config("127.0.0.1:4001")).unwrap();
    table.add(config("127.0.0.1:4002:tcp")).unwrap();
    let error = table.add(config("127.0.0.1:4001:tcp")).unwrap_err();
    assert_eq!(error.to_string(), "addSibling() cannot add duplicate sibling [127.0.0.1:4001]");
    assert_eq!(addresses(&table), ["127.0.0.1:4001 udp", "127.0.0.1:4002 tcp"]);
    table.remove(&config("127.0.0.1:4001:none").target).unwrap();
    table.remove(&config("127.0.0.1:4001").target).unwrap_err();
    let gone = table.at([127, 0, 0, 1].into()).unwrap();
    let left_out = table.set(vec![config("[::1]:5"), config("[::1]:5:tcp"), config("127.0.0.2")]);
    assert_eq!(left_out.len(), 1);
    assert!(gone.is_removed());
    assert_eq!(addresses(&table), ["[::1]:5 udp", "127.0.0.2:4001 udp"]);
    assert!(table.at("::1".parse().unwrap()).is_some() && table.at([127, 0, 0, 1].into()).is_none());
}

#[test]
fn a_sender_is_known_by_its_address_whatever_its_family_on_the_socket() {
    let table = Table::new(&testing::context());
    table.add(config("127.0.0.2:1")).unwrap();
    assert!(table.at("::ffff:127.0.0.2".parse().unwrap()).is_some());
    assert!(table.at([127, 0, 0, 3].into()).is_none());
}

#[test]
fn the_daemon_itself_is_found_and_not_sent_to() {
    let context = testing::context();
    let table = Table::new(&context);
    for text in ["127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.2:4001:tcp", "127.0.0.3:4001:none"] {
        table.add(config(text)).unwrap();
    }
    let selves = || table.rows().iter().map(|row| row.is_self).collect::<Vec<_>>();
    assert_eq!(selves(), [false; 4]);
    context.set_listener("127.0.0.2:4001".parse().unwrap());
    table.detect_selves();
    assert_eq!(selves(), [false, false, true, false]);
    assert!(table.is_sent_to());
    context.set_listener("0.0.0.0:4001".parse().unwrap());
    table.detect_selves();
    assert!(selves()[0], "packets to 127.0.0.1 come from there");
    table.set(vec![config("127.0.0.1:4001"), config("127.0.0.3:1:none")]);
    assert!(!table.is_sent_to());
}
