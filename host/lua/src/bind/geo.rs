//! `GeoIP` databases.

use std::net::IpAddr;

use bstr::{BStr, BString, ByteSlice};
use capabilities::geoip::{GeoDb, GeoIp, Legacy};
use capabilities::log::Level;

use super::objects::GeoRecord;
use super::{Host, Role};
use crate::convert::Fault;
use crate::settings::Complaint;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("newGeoIP2DB", open),
    ("getGeoIP2DB", get),
    ("GeoIP2DB:lookupCountry", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::Text(db.country(ip).into()))
    }),
    ("GeoIP2DB:lookupISP", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::Text(db.isp(ip).into()))
    }),
    ("GeoIP2DB:lookupCity", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::GeoRecord(Box::new(GeoRecord::from(db.city(ip)))))
    }),
    ("GeoIP2DB:lookupStringValue", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::Text(db.string(ip, &args.list(3)?).into()))
    }),
    ("GeoIP2DB:lookupUIntValue", |_, args| {
        let (db, ip) = of(args)?;
        // Beyond 2^63 wforce gives a negative number; scripts may have learnt to live with it.
        Ok(Ret::Number(db.uint(ip, &args.list(3)?) as i64 as f64))
    }),
    ("GeoIP2DB:lookupBoolValue", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::Bool(db.boolean(ip, &args.list(3)?)))
    }),
    ("GeoIP2DB:lookupDoubleValue", |_, args| {
        let (db, ip) = of(args)?;
        Ok(Ret::Number(db.double(ip, &args.list(3)?)))
    }),
    ("initGeoIPDB", |state, _| Ok(init(state, Legacy::Country))),
    ("initGeoIPCityDB", |state, _| Ok(init(state, Legacy::City))),
    ("initGeoIPISPDB", |state, _| Ok(init(state, Legacy::Isp))),
    ("lookupCountry", |state, args| {
        Ok(Ret::Text(state.host.caps.geoip.legacy_country(args.addr(1)?.ip).into()))
    }),
    ("lookupISP", |state, args| Ok(Ret::Text(state.host.caps.geoip.legacy_isp(args.addr(1)?.ip).into()))),
    ("lookupCity", |state, args| {
        let record = state.host.caps.geoip.legacy_city(args.addr(1)?.ip);
        Ok(Ret::GeoRecord(Box::new(GeoRecord::from(record))))
    }),
    ("reloadGeoIPDBs", reload),
];

fn of<'a>(args: &Args<'a>) -> Result<(&'a GeoDb, IpAddr), Fault> {
    Ok((args.object::<GeoDb>(1)?, args.addr(2)?.ip))
}

fn open<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (name, file) = (args.text(1)?, args.text(2)?);
    let opened = match file.to_path() {
        Ok(path) => state.host.caps.geoip.open(&name, path).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = opened {
        super::complain(state, format!("newGeoIP2DB: cannot open {}: {error}", BStr::new(&*file)));
    }
    Ok(Ret::None)
}

fn get<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    let db = state.host.caps.geoip.get(&name).unwrap_or_else(|| {
        let text = format!("getGeoIP2DB: no database named \"{}\"", BStr::new(&*name));
        state.host.caps.log.limited("unknown GeoIP database", super::logging::SECOND, Level::Err, text);
        GeoDb::dead()
    });
    Ok(Ret::GeoDb(db))
}

/// Whether a database is open under one of its names is asked when the whole file was read: it may open it further below.
fn init(state: &State, kind: Legacy) -> Ret<'_> {
    let settings = &state.host.settings;
    if state.role == Role::Config && settings.sealed() {
        if let Some(missing) = missing(&state.host.caps.geoip, kind) {
            super::complain(state, missing);
        }
    } else if state.role == Role::Config {
        settings.change(|values| {
            if !values.legacy_geoip.contains(&kind) {
                values.legacy_geoip.push(kind);
            }
        });
    }
    Ret::None
}

/// The function of wforce that opens a database of this kind.
fn initializer(kind: Legacy) -> &'static str {
    match kind {
        Legacy::Country => "initGeoIPDB",
        Legacy::City => "initGeoIPCityDB",
        Legacy::Isp => "initGeoIPISPDB",
    }
}

fn missing(geoip: &GeoIp, kind: Legacy) -> Option<String> {
    geoip.legacy(kind).is_dead().then(|| {
        let (function, names) = (initializer(kind), kind.names().join(", "));
        format!("{function}: no GeoIP2 database is open under any of the names {names}")
    })
}

/// What the file wants to look up, and has opened no database for.
pub(crate) fn without_database(host: &Host) -> Vec<Complaint> {
    let wanted = host.settings.read(|values| values.legacy_geoip.clone());
    let complaint = |kind: Legacy| {
        let text = missing(&host.caps.geoip, kind)?.into();
        Some(Complaint { text, place: host.settings.place_of(&[initializer(kind)]) })
    };
    wanted.into_iter().filter_map(complaint).collect()
}

fn reload<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let mut failed = false;
    for (name, result) in state.host.caps.geoip.reload() {
        if let Err(error) = result {
            failed = true;
            state.host.output.line(BString::from(format!("{name}: {error}")));
        }
    }
    let result = if failed { "reloadGeoIPDBs() failed" } else { "reloadGeoIPDBs() successful" };
    state.host.output.line(result);
    Ok(Ret::None)
}
