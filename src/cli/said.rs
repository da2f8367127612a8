//! What the daemon says of itself, read by the names of its members. By hand: the derived readers of these few structures
//! were 45 kB of the binary.

use crate::codec::json;
use std::borrow::Cow;
use std::cell::Cell;

/// An object that the daemon said. A member that is absent or null is as good as empty; one of another kind is remembered.
pub struct Said<'a> {
    object: &'a str,
    odd: &'a Cell<Option<&'static str>>,
}

/// Reads an object by its members.
///
/// # Errors
/// It is no JSON object, or a member that was asked for is of another kind.
pub fn read<T>(text: &str, of: impl FnOnce(&Said<'_>) -> T) -> Result<T, String> {
    json::scan(text).map_err(|malformed| malformed.to_string())?;
    if !is_object(text) {
        return Err("it is no object".to_owned());
    }
    let odd = Cell::new(None);
    let value = of(&Said { object: text, odd: &odd });
    match odd.get() {
        None => Ok(value),
        Some(name) => Err(format!("this version does not know what its `{name}` is")),
    }
}

impl<'a> Said<'a> {
    /// A member as it is written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        json::member(self.object, name).filter(|raw| *raw != "null")
    }

    /// A string that may be absent.
    #[must_use]
    pub fn some_text(&self, name: &'static str) -> Option<String> {
        let raw = self.raw(name)?;
        self.known(name, json::string(raw).map(Cow::into_owned))
    }

    /// A string.
    #[must_use]
    pub fn text(&self, name: &'static str) -> String {
        self.some_text(name).unwrap_or_default()
    }

    /// A whole number that may be absent.
    #[must_use]
    pub fn some_number(&self, name: &'static str) -> Option<u64> {
        let raw = self.raw(name)?;
        self.known(name, raw.parse().ok())
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, name: &'static str) -> u64 {
        self.some_number(name).unwrap_or_default()
    }

    /// A whole number of things.
    #[must_use]
    pub fn count(&self, name: &'static str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    /// An object that may be absent.
    #[must_use]
    pub fn some(&self, name: &'static str) -> Option<Self> {
        let raw = self.raw(name)?;
        self.known(name, is_object(raw).then_some(Said { object: raw, odd: self.odd }))
    }

    /// A list of objects.
    #[must_use]
    pub fn list<T>(&self, name: &'static str, of: fn(&Said<'_>) -> T) -> Vec<T> {
        let Some(raw) = self.raw(name) else { return Vec::new() };
        if self.known(name, raw.strip_prefix('[')).is_none() {
            return Vec::new();
        }
        let object = |raw| self.known(name, is_object(raw).then_some(Said { object: raw, odd: self.odd }));
        json::elements(raw).filter_map(object).map(|said| of(&said)).collect()
    }

    /// An object of whole numbers, in its order.
    #[must_use]
    pub fn numbers(&self, name: &'static str) -> Vec<(String, u64)> {
        let Some(said) = self.some(name) else { return Vec::new() };
        let number = |(name_of, raw): (Cow<'_, str>, &str)| {
            self.known(name, raw.parse().ok()).map(|number| (name_of.into_owned(), number))
        };
        json::members(said.object).filter_map(number).collect()
    }

    fn known<T>(&self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.odd.set(Some(name));
        }
        value
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}
