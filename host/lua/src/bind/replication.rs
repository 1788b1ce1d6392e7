//! Siblings, the start-up sync and lists in Redis: checked and stored.

use std::net::SocketAddr;

use bstr::{BStr, BString};
use capabilities::Daemon;
use cluster::Target;
use login::Addr;
use wire::Key;

use super::complain;
use crate::convert::Fault;
use crate::settings::{Redis, Secret, Sibling, SyncHost, Values};
use crate::stack::{Args, HostFn, Ret, State};

/// The ports of siblings and of forwarders whose addresses have none.
const PORT: u16 = 4001;
const FORWARDER_PORT: u16 = 4545;

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addSibling", |state, args| {
        add(state, &[args.text(1)?.owned()]);
        Ok(Ret::None)
    }),
    ("addSiblingWithKey", |state, args| {
        add(state, &[args.text(1)?.owned(), args.text(2)?.owned()]);
        Ok(Ret::None)
    }),
    ("removeSibling", remove),
    ("setSiblings", |state, args| {
        let rows = args.list(1)?.into_iter().map(|address| vec![address]).collect::<Vec<_>>();
        set(state, "setSiblings", &rows);
        Ok(Ret::None)
    }),
    ("setSiblingsWithKey", |state, args| {
        set(state, "setSiblingsWithKey", &args.lists(1)?);
        Ok(Ret::None)
    }),
    ("siblingListener", listener),
    ("setSiblingConnectTimeout", |state, args| {
        let timeout = args.int(1)?;
        if let Some(cluster) = state.host.settings.cluster() {
            cluster.context().set_connect_timeout(u64::try_from(timeout).unwrap_or(0));
        }
        change(state, |values| values.replication.connect_timeout_ms = timeout)
    }),
    ("setMaxSiblingQueueSize", |state, args| {
        let size = args.unsigned(1)?;
        if let Some(cluster) = state.host.settings.cluster() {
            cluster.context().set_queue_size(size as usize);
        }
        change(state, |values| values.replication.queue_size = size)
    }),
    ("setNumSiblingThreads", |state, args| {
        let threads = args.int(1)?;
        change(state, |values| values.replication.threads = threads)
    }),
    ("setReplicationCipher", set_cipher),
    ("setReliableSessions", |state, args| {
        let on = args.boolean(1)?;
        if let Some(cluster) = state.host.settings.cluster() {
            cluster.set_sessions(on);
        }
        change(state, |values| values.replication.sessions = on)
    }),
    ("setSessionJournalBytes", |state, args| {
        let bytes = args.unsigned(1)?;
        if let Some(cluster) = state.host.settings.cluster() {
            cluster.set_journal_bytes(bytes as usize);
        }
        change(state, |values| values.replication.journal_bytes = bytes)
    }),
    ("setSyncTimeout", |state, args| {
        let seconds = args.unsigned(1)?;
        change(state, |values| values.replication.sync_timeout_secs = seconds)
    }),
    ("addSyncHost", add_sync_host),
    ("setMinSyncHostUptime", |state, args| {
        let uptime = args.unsigned(1)?;
        change(state, |values| values.replication.min_sync_uptime = uptime)
    }),
    ("blacklistPersistDB", |state, args| server(state, args, |values| &mut values.blacklist_redis)),
    ("whitelistPersistDB", |state, args| server(state, args, |values| &mut values.whitelist_redis)),
    ("blacklistPersistURL", |state, args| {
        server_url(state, args, "blacklistPersistURL", |values| &mut values.blacklist_redis)
    }),
    ("whitelistPersistURL", |state, args| {
        server_url(state, args, "whitelistPersistURL", |values| &mut values.whitelist_redis)
    }),
    ("blacklistRedisUsername", |state, args| username(state, args, |values| &mut values.blacklist_redis)),
    ("whitelistRedisUsername", |state, args| username(state, args, |values| &mut values.whitelist_redis)),
    ("blacklistRedisPassword", |state, args| password(state, args, |values| &mut values.blacklist_redis)),
    ("whitelistRedisPassword", |state, args| password(state, args, |values| &mut values.whitelist_redis)),
    ("blacklistPersistReplicated", |state, _| {
        change(state, |values| values.blacklist_redis.replicated = true)
    }),
    ("whitelistPersistReplicated", |state, _| {
        change(state, |values| values.whitelist_redis.replicated = true)
    }),
    ("blacklistPersistConnectTimeout", |state, args| {
        connect_timeout(state, args, |values| &mut values.blacklist_redis)
    }),
    ("whitelistPersistConnectTimeout", |state, args| {
        connect_timeout(state, args, |values| &mut values.whitelist_redis)
    }),
    ("blacklistPersistRWTimeout", |state, args| {
        rw_timeout(state, args, |values| &mut values.blacklist_redis)
    }),
    ("whitelistPersistRWTimeout", |state, args| {
        rw_timeout(state, args, |values| &mut values.whitelist_redis)
    }),
];

type Server = fn(&mut Values) -> &mut Redis;

fn change(state: &State, change: impl FnOnce(&mut Values)) -> Result<Ret<'_>, Fault> {
    state.host.settings.change(change);
    Ok(Ret::None)
}

/// Reads address, key and the two flags of a sibling.
pub(super) fn sibling(row: &[BString]) -> Result<Sibling, String> {
    let (address, key, stats, lists) = match row {
        [address] => (address, None, true, true),
        [address, key] => (address, Some(key), true, true),
        [address, key, stats, lists] => (address, Some(key), flag(stats), flag(lists)),
        _ => return Err(format!("a sibling is a list of 2 or 4 texts, not {}", row.len())),
    };
    let key = match key.filter(|key| !key.is_empty()) {
        Some(key) => Some(Secret(Key::from_base64(key).map_err(|error| error.to_string())?)),
        None => None,
    };
    let addr = Target::parse(address).map_err(|error| error.to_string())?;
    Ok(Sibling { addr, key, stats, lists })
}

fn flag(text: &BString) -> bool {
    text.eq_ignore_ascii_case(b"true")
}

fn add(state: &State, row: &[BString]) {
    let sibling = match sibling(row) {
        Ok(sibling) => sibling,
        Err(error) => return complain(state, format!("addSibling: {error}")),
    };
    if let Some(cluster) = state.host.settings.cluster() {
        if let Err(duplicate) = cluster.siblings().add(sibling.into()) {
            complain(state, duplicate.to_string());
        }
        return;
    }
    let addr = sibling.addr.addr;
    let known = state.host.settings.change(|values| {
        let siblings = &mut values.replication.siblings;
        let known = siblings.iter().any(|known| known.addr.addr == addr);
        if !known {
            siblings.push(sibling);
        }
        known
    });
    if known {
        complain(state, format!("addSibling() cannot add duplicate sibling [{addr}]"));
    }
}

fn set(state: &State, function: &str, rows: &[Vec<BString>]) {
    let mut siblings: Vec<Sibling> = Vec::with_capacity(rows.len());
    for row in rows {
        match sibling(row) {
            Ok(sibling) if siblings.iter().any(|known| known.addr.addr == sibling.addr.addr) => {
                complain(state, format!("{function}() skips duplicate sibling [{}]", sibling.addr.addr));
            }
            Ok(sibling) => siblings.push(sibling),
            Err(error) => return complain(state, format!("{function}: {error}; the old siblings stay")),
        }
    }
    match state.host.settings.cluster() {
        Some(cluster) => {
            // Of the doubtful ones none is left.
            let _ = cluster.siblings().set(siblings.into_iter().map(Into::into).collect());
        }
        None => state.host.settings.change(|values| values.replication.siblings = siblings),
    }
}

fn set_cipher<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    let cipher = match &*name {
        b"xsalsa20" => wire::Cipher::Secretbox,
        b"chacha20" => wire::Cipher::ChaCha,
        other => {
            let text = format!("setReplicationCipher: neither xsalsa20 nor chacha20: '{}'", BStr::new(other));
            return Err(Fault::caught(text));
        }
    };
    if let Some(cluster) = state.host.settings.cluster() {
        cluster.context().security.set_cipher(cipher);
    }
    change(state, |values| values.replication.cipher = cipher)
}

fn remove<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let text = args.text(1)?;
    match Target::parse(&text) {
        Ok(gone) if state.host.settings.cluster().is_some() => {
            let cluster = state.host.settings.cluster();
            if let Some(Err(error)) = cluster.map(|cluster| cluster.siblings().remove(&gone)) {
                complain(state, format!("removeSibling: {error}"));
            }
        }
        Ok(gone) => {
            let found = state.host.settings.change(|values| {
                let siblings = &mut values.replication.siblings;
                let before = siblings.len();
                siblings.retain(|known| known.addr.addr != gone.addr);
                siblings.len() < before
            });
            if !found {
                complain(state, format!("removeSibling: no sibling [{}]", gone.addr));
            }
        }
        Err(error) => complain(state, format!("removeSibling: {error}")),
    }
    Ok(Ret::None)
}

fn replication_addr(text: &[u8], port: u16) -> Result<SocketAddr, String> {
    let addr = Addr::parse(text).map_err(|error| error.to_string())?;
    Ok(SocketAddr::new(addr.ip, if addr.port == 0 { port } else { addr.port }))
}

fn listener<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let port = if state.host.daemon == Daemon::Replfwd { FORWARDER_PORT } else { PORT };
    match replication_addr(&args.text(1)?, port) {
        Ok(addr) => return change(state, |values| values.replication.listener = Some(addr)),
        Err(error) => complain(state, format!("siblingListener: {error}")),
    }
    Ok(Ret::None)
}

fn add_sync_host<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (url, password) = (args.text(1)?.owned(), args.text(2)?.owned());
    let (address, callback) = (args.text(3)?, args.text(4)?.owned());
    match replication_addr(&address, PORT) {
        Ok(replication) => {
            return change(state, |values| {
                values.replication.sync_hosts.push(SyncHost { url, password, replication, callback });
            });
        }
        Err(error) => {
            let shown = outbound::without_secrets(&String::from_utf8_lossy(&url));
            complain(state, format!("addSyncHost {shown}: {error}"));
        }
    }
    Ok(Ret::None)
}

fn server<'a>(state: &'a State, args: &Args<'a>, of: Server) -> Result<Ret<'a>, Fault> {
    let (host, port) = (args.text(1)?.owned(), args.unsigned(2)?);
    change(state, |values| of(values).server = Some((host, port)))
}

fn username<'a>(state: &'a State, args: &Args<'a>, of: Server) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?.owned();
    change(state, |values| of(values).username = name)
}

fn password<'a>(state: &'a State, args: &Args<'a>, of: Server) -> Result<Ret<'a>, Fault> {
    let password = args.text(1)?.owned();
    change(state, |values| of(values).password = password)
}

fn server_url<'a>(state: &'a State, args: &Args<'a>, function: &str, of: Server) -> Result<Ret<'a>, Fault> {
    let (url, options) = (args.text(1)?, args.map(2)?.into_iter().collect());
    match valkey::Target::parse(&url, &options) {
        Ok(target) => change(state, |values| of(values).target = Some(target)),
        Err(error) => {
            complain(state, format!("{function}: {error}"));
            Ok(Ret::None)
        }
    }
}

fn connect_timeout<'a>(state: &'a State, args: &Args<'a>, of: Server) -> Result<Ret<'a>, Fault> {
    let seconds = args.int(1)?;
    change(state, |values| of(values).connect_timeout_secs = seconds)
}

fn rw_timeout<'a>(state: &'a State, args: &Args<'a>, of: Server) -> Result<Ret<'a>, Fault> {
    let timeout = (args.int(1)?, args.int(2)?);
    change(state, |values| of(values).rw_timeout = timeout)
}
