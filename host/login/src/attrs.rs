//! The free-form attributes that come with a login or a custom request.

use bstr::BString;

use crate::json::{ArrayWriter, ObjectWriter, Value, write_str};

/// Attributes with one value each: sorted by key in ascending byte order, no key twice.
pub type Attrs = Vec<(BString, BString)>;

/// Attributes with a list of values each: sorted by key in ascending byte order, no key twice.
pub type MultiAttrs = Vec<(BString, Vec<BString>)>;

/// What a custom endpoint's function is called with.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CustomArgs {
    /// The string members of the request's `attrs`.
    pub attrs: Attrs,
    /// The list members of the request's `attrs`.
    pub attrs_mv: MultiAttrs,
}

impl CustomArgs {
    /// The attributes in a custom request's body.
    pub fn from_json(body: &Value<'_>) -> CustomArgs {
        let (attrs, attrs_mv) = attrs_from_json(body.get(b"attrs"));
        CustomArgs { attrs, attrs_mv }
    }

    /// Appends `{"attrs": {...}}`, what report sinks get of a custom request.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        write_merged(object.member(b"attrs"), &self.attrs, &self.attrs_mv);
        object.finish();
    }
}

/// Splits an `attrs` object: strings are single values, lists are multiple ones with `""` for each item that is no
/// string. Other members are dropped, and so is everything if the value is no object (wforce compatibility).
pub fn attrs_from_json(value: Option<&Value<'_>>) -> (Attrs, MultiAttrs) {
    let (mut attrs, mut attrs_mv) = (Attrs::new(), MultiAttrs::new());
    for (key, value) in value.and_then(Value::as_object).unwrap_or_default() {
        match value {
            Value::String(text) => attrs.push((key.as_ref().into(), text.as_ref().into())),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap_or_default().into()).collect();
                attrs_mv.push((key.as_ref().into(), items));
            }
            _ => {}
        }
    }
    sort(&mut attrs);
    sort(&mut attrs_mv);
    (attrs, attrs_mv)
}

/// Sorts by key; of equal keys the last one stays. Attributes that do not come from parsed JSON need this.
pub fn sort<T>(attrs: &mut Vec<(BString, T)>) {
    if attrs.is_sorted_by(|(left, _), (right, _)| left < right) {
        return;
    }
    attrs.sort_by(|(left, _), (right, _)| left.cmp(right));
    attrs.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Appends an object of strings.
pub fn write_attrs(out: &mut Vec<u8>, attrs: &[(BString, BString)]) {
    let mut object = ObjectWriter::new(out);
    for (key, value) in attrs {
        object.str(key, value);
    }
    object.finish();
}

/// Appends one object of both kinds. If a key is in both, its list counts.
pub fn write_merged(out: &mut Vec<u8>, attrs: &[(BString, BString)], attrs_mv: &[(BString, Vec<BString>)]) {
    let mut object = ObjectWriter::new(out);
    let mut single = attrs.iter().peekable();
    for (key, values) in attrs_mv {
        while let Some((name, value)) = single.next_if(|(name, _)| name < key) {
            object.str(name, value);
        }
        single.next_if(|(name, _)| name == key);
        let mut array = ArrayWriter::new(object.member(key));
        for value in values {
            write_str(array.item(), value);
        }
        array.finish();
    }
    for (name, value) in single {
        object.str(name, value);
    }
    object.finish();
}

#[cfg(test)]
mod tests;
