//! Reading and writing the fields of objects.

use std::cell::{RefCell, RefMut};
use std::sync::Arc;

use login::{Attrs, CustomArgs, Login, MultiAttrs};

use super::objects::GeoRecord;
use crate::convert::Fault;
use crate::stack::{Args, Fields, Pusher};

/// Where the new value of a field lies.
const VALUE: i32 = 3;

/// A field is read only while its object is on the way to Lua; a finalizer of a script that runs just then and writes the
/// same object gets this error.
fn busy<T>(object: &RefCell<T>) -> Result<RefMut<'_, T>, Fault> {
    object.try_borrow_mut().map_err(|_| Fault::caught("the object is being read"))
}

fn attrs(out: &mut Pusher<'_>, attrs: &Attrs) {
    out.map(attrs, |out, value| out.bytes(value));
}

fn multi(out: &mut Pusher<'_>, attrs: &MultiAttrs) {
    out.map(attrs, |out, values| out.texts(values));
}

fn sorted<T>(mut pairs: Vec<(bstr::BString, T)>) -> Vec<(bstr::BString, T)> {
    login::attrs::sort(&mut pairs);
    pairs
}

impl Fields for RefCell<Arc<Login>> {
    fn read(&self, name: &[u8], out: &mut Pusher<'_>) -> bool {
        let Ok(login) = self.try_borrow() else { return false };
        match name {
            b"login" => out.bytes(&login.login),
            b"remote" => out.object(login.remote),
            b"success" => out.boolean(login.success),
            b"pwhash" => out.bytes(&login.pwhash),
            b"protocol" => out.bytes(&login.protocol),
            b"device_id" => out.bytes(&login.device_id),
            b"session_id" => out.bytes(&login.session_id),
            b"fail_type" => out.bytes(&login.fail_type),
            b"policy_reject" => out.boolean(login.policy_reject),
            b"tls" => out.boolean(login.tls),
            b"t" => out.number(login.t),
            b"attrs" => attrs(out, &login.attrs),
            b"attrs_mv" => multi(out, &login.attrs_mv),
            b"device_attrs" => attrs(out, &login.device_attrs),
            b"report_id" => out.bytes(login.report_id.as_deref().unwrap_or_default().as_bytes()),
            _ => return false,
        }
        true
    }

    fn write(&self, name: &[u8], args: &Args<'_>) -> Result<bool, Fault> {
        let mut shared = busy(self)?;
        let login = Arc::make_mut(&mut shared);
        match name {
            b"login" => login.login = field(args)?,
            b"remote" => login.remote = args.addr(VALUE)?,
            b"success" => login.success = args.boolean(VALUE)?,
            b"pwhash" => login.pwhash = field(args)?,
            b"protocol" => login.protocol = field(args)?,
            b"device_id" => login.device_id = field(args)?,
            b"session_id" => login.session_id = field(args)?,
            b"fail_type" => login.fail_type = field(args)?,
            b"policy_reject" => login.policy_reject = args.boolean(VALUE)?,
            b"tls" => login.tls = args.boolean(VALUE)?,
            b"t" => login.t = args.double(VALUE)?,
            b"attrs" => login.attrs = sorted(args.map(VALUE)?),
            b"attrs_mv" => login.attrs_mv = sorted(args.map_of_lists(VALUE)?),
            b"device_attrs" => login.device_attrs = Arc::new(sorted(args.map(VALUE)?)),
            b"report_id" => login.report_id = Some(field(args)?.to_string().into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The longest text a script may put into a field: what a request could carry. The limit of the Lua state's memory does not
/// see what objects hold.
const LONGEST_FIELD: usize = 1 << 20;

fn field(args: &Args<'_>) -> Result<bstr::BString, Fault> {
    let text = args.text(VALUE)?;
    if text.len() > LONGEST_FIELD {
        return Err(Fault::caught(format!("a text of {} bytes is too long for a field", text.len())));
    }
    Ok(text.owned())
}

impl Fields for RefCell<Arc<CustomArgs>> {
    fn read(&self, name: &[u8], out: &mut Pusher<'_>) -> bool {
        let Ok(args) = self.try_borrow() else { return false };
        match name {
            b"attrs" => attrs(out, &args.attrs),
            b"attrs_mv" => multi(out, &args.attrs_mv),
            _ => return false,
        }
        true
    }

    fn write(&self, name: &[u8], args: &Args<'_>) -> Result<bool, Fault> {
        let mut shared = busy(self)?;
        let custom = Arc::make_mut(&mut shared);
        match name {
            b"attrs" => custom.attrs = sorted(args.map(VALUE)?),
            b"attrs_mv" => custom.attrs_mv = sorted(args.map_of_lists(VALUE)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Fields for RefCell<GeoRecord> {
    fn read(&self, name: &[u8], out: &mut Pusher<'_>) -> bool {
        let Ok(record) = self.try_borrow() else { return false };
        match name {
            b"country_code" => out.bytes(&record.country_code),
            b"country_name" => out.bytes(&record.country_name),
            b"region" => out.bytes(&record.region),
            b"city" => out.bytes(&record.city),
            b"postal_code" => out.bytes(&record.postal_code),
            b"continent_code" => out.bytes(&record.continent_code),
            b"latitude" => out.number(f64::from(record.latitude)),
            b"longitude" => out.number(f64::from(record.longitude)),
            _ => return false,
        }
        true
    }

    fn write(&self, name: &[u8], args: &Args<'_>) -> Result<bool, Fault> {
        let mut record = busy(self)?;
        match name {
            b"country_code" => record.country_code = field(args)?,
            b"country_name" => record.country_name = field(args)?,
            b"region" => record.region = field(args)?,
            b"city" => record.city = field(args)?,
            b"postal_code" => record.postal_code = field(args)?,
            b"continent_code" => record.continent_code = field(args)?,
            b"latitude" => record.latitude = args.float(VALUE)?,
            b"longitude" => record.longitude = args.float(VALUE)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
