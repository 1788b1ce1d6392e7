//! More about the login at hand.

use bstr::{BStr, BString};
use wasmtime::Result;

use crate::bindings::request::Host;
use crate::state::{State, text};

fn find<'a, T>(attrs: &'a [(BString, T)], name: &str) -> Option<&'a T> {
    let at = attrs.binary_search_by(|(key, _)| BStr::new(key).cmp(BStr::new(name.as_bytes()))).ok()?;
    Some(&attrs[at].1)
}

fn pairs(attrs: &[(BString, BString)]) -> Vec<(String, String)> {
    attrs.iter().map(|(key, value)| (text(key).into_owned(), text(value).into_owned())).collect()
}

fn texts(values: &[BString]) -> Vec<String> {
    values.iter().map(|value| text(value).into_owned()).collect()
}

impl Host for State {
    fn attribute(&mut self, name: String) -> Result<Option<String>> {
        self.host_call()?;
        let login = self.login.as_deref();
        Ok(login.and_then(|login| find(&login.attrs, &name)).map(|value| text(value).into_owned()))
    }

    fn attribute_values(&mut self, name: String) -> Result<Vec<String>> {
        self.host_call()?;
        let login = self.login.as_deref();
        Ok(login
            .and_then(|login| find(&login.attrs_mv, &name))
            .map(|values| texts(values))
            .unwrap_or_default())
    }

    fn attributes(&mut self) -> Result<Vec<(String, String)>> {
        self.host_call()?;
        Ok(self.login.as_deref().map(|login| pairs(&login.attrs)).unwrap_or_default())
    }

    fn multi_attributes(&mut self) -> Result<Vec<(String, Vec<String>)>> {
        self.host_call()?;
        let all = self.login.as_deref().map(|login| login.attrs_mv.as_slice()).unwrap_or_default();
        Ok(all.iter().map(|(key, values)| (text(key).into_owned(), texts(values))).collect())
    }

    fn device_attribute(&mut self, name: String) -> Result<Option<String>> {
        self.host_call()?;
        let login = self.login.as_deref();
        Ok(login.and_then(|login| find(&login.device_attrs, &name)).map(|value| text(value).into_owned()))
    }

    fn device_attributes(&mut self) -> Result<Vec<(String, String)>> {
        self.host_call()?;
        Ok(self.login.as_deref().map(|login| pairs(&login.device_attrs)).unwrap_or_default())
    }
}
