//! JSON that is written: strings (RFC 8259 section 7) and objects, member by member into a text that has room.

use super::json::plain_end;
use std::fmt::Write;

/// Appends the text as a JSON string literal.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at_checked(plain_end(rest.as_bytes(), 0)).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut behind = special.chars();
        match behind.next() {
            None => break,
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
        }
        rest = behind.as_str();
    }
    out.push('"');
}

/// A member's name, as it is written behind another member; `name!` makes it of a literal with nothing to escape in it.
#[derive(Clone, Copy)]
pub struct Name(pub(crate) &'static str);

/// A [`Name`] for [`Object`].
macro_rules! name {
    ($literal:literal) => {
        $crate::codec::json::Name(concat!(",\"", $literal, "\":"))
    };
}
pub(crate) use name;

/// An object that is being written.
pub struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Appends an object with what `fill` puts into it.
    pub fn write(out: &'a mut String, fill: impl FnOnce(&mut Self)) {
        out.push('{');
        let mut object = Self { out, empty: true };
        fill(&mut object);
        object.out.push('}');
    }

    /// A member whose value the caller appends. Not inlined: each text of a line asks for it, and code is to be small.
    #[inline(never)]
    pub fn member(&mut self, name: Name) -> &mut String {
        let comma = usize::from(std::mem::take(&mut self.empty));
        self.out.push_str(name.0.get(comma..).unwrap_or_default());
        self.out
    }

    /// A text.
    pub fn text(&mut self, name: Name, value: &str) {
        write_string(value, self.member(name));
    }

    /// Texts; those that are not there are left out.
    pub fn texts(&mut self, texts: &[(Name, Option<&str>)]) {
        for (name, text) in texts {
            if let Some(text) = text {
                self.text(*name, text);
            }
        }
    }

    /// A text, or null.
    pub fn text_or_null(&mut self, name: Name, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.member(name).push_str("null"),
        }
    }

    /// A number.
    pub fn number(&mut self, name: Name, value: u64) {
        let _ = write!(self.member(name), "{value}");
    }

    /// True or false.
    pub fn flag(&mut self, name: Name, value: bool) {
        self.member(name).push_str(if value { "true" } else { "false" });
    }

    /// An object.
    pub fn object(&mut self, name: Name, fill: impl FnOnce(&mut Object<'_>)) {
        Object::write(self.member(name), fill);
    }

    /// A list: each of its items appends itself.
    pub fn list<T>(&mut self, name: Name, items: &[T], mut each: impl FnMut(&T, &mut String)) {
        let out = self.member(name);
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            each(item, out);
        }
        out.push(']');
    }
}
