//! Answers that may be cut, broken or far too large: the rows of a top-level array one by one, and the id of its first row
//! found while the bytes pass by.

use super::Malformed;
use super::json::{plain_end, scan, skip_space, string};
use crate::budget;

/// The elements of the top-level array in an answer's body, which may be cut at its end or broken.
#[must_use]
pub fn rows(body: &[u8]) -> Rows<'_> {
    Rows { body, at: 0, state: State::Start }
}

/// Yields each whole element, checked for UTF-8 and scanned. A bad element is an `Err` and the next one follows; where the
/// array itself is broken an `Err` is the last. An element that is cut is not yielded.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    body: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Element,
    Ended,
    Broken,
}

impl Rows<'_> {
    /// Whether the closing bracket was seen: the array is whole, not cut.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    fn broken<T>(&mut self, why: &'static str) -> Option<Result<T, Malformed>> {
        self.state = State::Broken;
        Some(Err(Malformed(why)))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<&'a str, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Start {
            let at = skip_space(self.body, 0);
            if self.body.get(at) != Some(&b'[') {
                return self.broken("the body is not a JSON array");
            }
            self.at = skip_space(self.body, at + 1);
            self.state = State::Element;
            if self.body.get(self.at) == Some(&b']') {
                self.state = State::Ended;
            }
        }
        if self.state != State::Element {
            return None;
        }
        let Some(end) = element_end(self.body, self.at) else {
            self.state = State::Broken;
            return None;
        };
        let element = self.body.get(self.at..end).unwrap_or_default();
        self.at = skip_space(self.body, end + 1);
        match self.body.get(end) {
            Some(b',') => {}
            Some(b']') => self.state = State::Ended,
            _ => return self.broken("the array ends with a wrong bracket"),
        }
        let Ok(text) = std::str::from_utf8(element) else { return Some(Err(Malformed("a row that is not UTF-8"))) };
        let text = text.trim_end_matches([' ', '\t', '\n', '\r']);
        Some(scan(text).map(|()| text))
    }
}

/// Where an element ends: at the comma, or the closing bracket, that stands outside its strings and brackets. It looks at
/// nothing else, so that a bad element does not hide those after it. `None`: the text ends before.
pub(super) fn element_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut at) = (0u32, false, from);
    loop {
        let byte = *bytes.get(at)?;
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth = depth.saturating_add(1),
            b',' | b']' | b'}' if depth == 0 => return Some(at),
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if quoted {
            at = plain_end(bytes, at);
        }
    }
}

/// Finds the string member `id` of the first object in a top-level array, while the body passes by in pieces of any size.
/// It keeps no more than one name and one id. Of two members of that name the first counts.
#[derive(Clone, Debug, Default)]
pub struct IdScan {
    place: Place,
    /// Open brackets inside the value that is passed over.
    depth: u32,
    /// Within a string, and behind its backslash.
    quoted: bool,
    escaped: bool,
    /// The name or the id as far as it was read, its quotes included.
    kept: Vec<u8>,
    found: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the array's bracket.
    #[default]
    Array,
    /// Before the first object's brace.
    Object,
    /// Before or in a member's name.
    Name,
    /// Behind a name; `true`: it was `id`.
    Colon(bool),
    /// In the value of `id`.
    Id,
    /// In another value.
    Other,
    /// Nothing more is looked for.
    Over,
}

/// An id with every character escaped, and its quotes.
const KEPT_BYTES: usize = budget::ID_BYTES * 6 + 2;

impl IdScan {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.place == Place::Over {
                return;
            }
            self.take(byte);
        }
    }

    /// The id, once it was found: not empty, at most `budget::ID_BYTES` long.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.found.clone()
    }

    fn take(&mut self, byte: u8) {
        if self.quoted {
            return self.take_quoted(byte);
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return;
        }
        self.place = match (self.place, byte) {
            (Place::Array, b'[') => Place::Object,
            (Place::Object, b'{') => Place::Name,
            (Place::Name, b'"') | (Place::Id, b'"') => {
                self.quoted = true;
                self.kept.clear();
                self.kept.push(b'"');
                self.place
            }
            (Place::Colon(true), b':') => Place::Id,
            (Place::Colon(false), b':') => Place::Other,
            (Place::Id | Place::Other, _) => self.pass(byte),
            _ => Place::Over,
        };
    }

    /// A byte of a value that is passed over.
    fn pass(&mut self, byte: u8) -> Place {
        match byte {
            b'"' => self.quoted = true,
            b'[' | b'{' => self.depth = self.depth.saturating_add(1),
            b',' if self.depth == 0 => return Place::Name,
            b']' | b'}' if self.depth == 0 => return Place::Over,
            b']' | b'}' => self.depth -= 1,
            _ => {}
        }
        Place::Other
    }

    fn take_quoted(&mut self, byte: u8) {
        let keeps = matches!(self.place, Place::Name | Place::Id);
        if keeps && self.kept.len() < KEPT_BYTES {
            self.kept.push(byte);
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.quoted = false;
            self.place = match self.place {
                Place::Name => Place::Colon(self.text().as_deref() == Some("id")),
                Place::Id => {
                    self.found = self.text().filter(|id| !id.is_empty() && id.len() <= budget::ID_BYTES);
                    Place::Over
                }
                place => place,
            };
        }
    }

    /// What was kept, unless it was cut or is no string.
    fn text(&self) -> Option<String> {
        std::str::from_utf8(&self.kept).ok().and_then(string).map(std::borrow::Cow::into_owned)
    }
}
