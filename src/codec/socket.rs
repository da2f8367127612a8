//! Socket.IO v5 packets: `<type>[<attachments>-][/namespace,][ack][json]`.

use super::{Malformed, json};
use crate::budget;
use crate::text::Clipped;
use std::borrow::Cow;
use std::fmt::Write;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0`: to the server with the token, back with a session id.
    Connect,
    /// `1`: the end of the session, though perhaps not of the connection.
    Disconnect,
    /// `2`
    Event,
    /// `3`: the answer to an event that asked for one.
    Ack,
    /// `4`: the refusal of a CONNECT.
    ConnectError,
    /// `5`: an event; so many binary frames follow, 1 to `budget::BINARY_ATTACHMENTS`.
    BinaryEvent(u32),
    /// `6`: an ack; so many binary frames follow.
    BinaryAck(u32),
}

/// A packet, borrowing from its frame. `encode` of what `decode` gave is the same text, byte for byte, where the sender
/// left out a namespace of `/` and wrote a comma behind any other (as every known server does).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// `/` where none was written.
    pub namespace: &'a str,
    /// The id that an answer is to carry, or carries.
    pub ack: Option<u32>,
    /// The payload, not scanned yet; empty where there is none.
    pub json: &'a str,
}

impl<'a> Packet<'a> {
    /// Reads the text of one Engine.IO message.
    ///
    /// # Errors
    /// What is wrong with its head, or with the first character of its payload.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut rest = text.chars();
        let digit = rest.next().ok_or(Malformed("an empty Socket.IO packet"))?;
        let rest = rest.as_str();
        let (kind, rest) = match digit {
            '0' => (Kind::Connect, rest),
            '1' => (Kind::Disconnect, rest),
            '2' => (Kind::Event, rest),
            '3' => (Kind::Ack, rest),
            '4' => (Kind::ConnectError, rest),
            '5' => attachments(rest).map(|(n, rest)| (Kind::BinaryEvent(n), rest))?,
            '6' => attachments(rest).map(|(n, rest)| (Kind::BinaryAck(n), rest))?,
            _ => return Err(Malformed("an unknown Socket.IO packet type")),
        };
        let (namespace, rest) = match rest.strip_prefix('/') {
            None => ("/", rest),
            Some(_) => rest.split_once(',').unwrap_or((rest, "")),
        };
        if namespace.len() > budget::NAMESPACE_BYTES {
            return Err(Malformed("a namespace that is too long"));
        }
        let (ack, json) = number(rest)?;
        Self { kind, namespace, ack, json }.checked()
    }

    /// Appends the packet as the text of an Engine.IO message.
    pub fn encode(&self, out: &mut String) {
        let (digit, attachments) = match self.kind {
            Kind::Connect => ('0', None),
            Kind::Disconnect => ('1', None),
            Kind::Event => ('2', None),
            Kind::Ack => ('3', None),
            Kind::ConnectError => ('4', None),
            Kind::BinaryEvent(n) => ('5', Some(n)),
            Kind::BinaryAck(n) => ('6', Some(n)),
        };
        out.push(digit);
        if let Some(n) = attachments {
            let _ = write!(out, "{n}-");
        }
        // the root is left out, unless what follows would be read as a namespace
        if self.namespace != "/" || (self.ack.is_none() && self.json.starts_with('/')) {
            out.push_str(self.namespace);
            out.push(',');
        }
        if let Some(ack) = self.ack {
            let _ = write!(out, "{ack}");
        }
        out.push_str(self.json);
    }

    /// Whether id and payload fit the kind, as far as its first character tells.
    fn checked(self) -> Result<Self, Malformed> {
        let first = self.json.bytes().next();
        match self.kind {
            Kind::Event | Kind::BinaryEvent(_) if first != Some(b'[') => {
                Err(Malformed("an event that is not an array"))
            }
            Kind::Ack | Kind::BinaryAck(_) if first != Some(b'[') => Err(Malformed("an ack that is not an array")),
            Kind::Ack | Kind::BinaryAck(_) if self.ack.is_none() => Err(Malformed("an ack without its id")),
            Kind::Connect if !matches!(first, None | Some(b'{')) => Err(Malformed("a CONNECT that is not an object")),
            Kind::Disconnect if first.is_some() => Err(Malformed("a DISCONNECT that carries something")),
            Kind::Connect | Kind::Disconnect | Kind::ConnectError if self.ack.is_some() => {
                Err(Malformed("an ack id where none belongs"))
            }
            _ => Ok(self),
        }
    }
}

/// `<n>-` behind the type of a binary packet.
fn attachments(rest: &str) -> Result<(u32, &str), Malformed> {
    let (count, rest) = number(rest)?;
    let rest = rest.strip_prefix('-').ok_or(Malformed("a binary packet without its count"))?;
    match count {
        Some(count) if (1..=budget::BINARY_ATTACHMENTS).contains(&count) => Ok((count, rest)),
        _ => Err(Malformed("a binary packet with no or too many attachments")),
    }
}

/// The decimal number that a text begins with, as any encoder writes it, and what follows it.
fn number(text: &str) -> Result<(Option<u32>, &str), Malformed> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if digits.is_empty() {
        return Ok((None, rest));
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(Malformed("a number with a leading zero in a Socket.IO packet"));
    }
    digits.parse().map(|n| (Some(n), rest)).map_err(|_| Malformed("a number that is too large in a Socket.IO packet"))
}

/// An event's payload: its name, and its arguments cut out as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's name; owned only where it has escapes.
    pub name: Cow<'a, str>,
    /// The first arguments, each whole, scanned JSON.
    pub args: [Option<&'a str>; budget::EVENT_ARGS],
    /// How many arguments there were, further ones included.
    pub count: usize,
}

impl<'a> Event<'a> {
    /// Scans the payload of an event, once, and cuts it.
    ///
    /// # Errors
    /// Text that is no JSON array of depth `budget::JSON_DEPTH` at most, or whose first element is not a string.
    pub fn read(json: &'a str) -> Result<Self, Malformed> {
        let mut elements = Elements::of(json)?;
        let name = elements.next().ok_or(Malformed("an event without a name"))??;
        let name = json::string(name).ok_or(Malformed("an event whose name is not a string"))?;
        let mut event = Self { name, args: [None; budget::EVENT_ARGS], count: 0 };
        for element in elements {
            let element = element?;
            if let Some(place) = event.args.get_mut(event.count) {
                *place = Some(element);
            }
            event.count += 1;
        }
        Ok(event)
    }
}

/// What a CONNECT_ERROR says, in one line fit for a log: the `message` of an object, or a bare string; else the payload.
#[must_use]
pub fn connect_error(json: &str) -> String {
    let scanned = if json::scan(json).is_ok() { json.trim() } else { "" };
    let message = json::member(scanned, "message").unwrap_or(scanned);
    let words = json::string(message).unwrap_or(Cow::Borrowed(if scanned.is_empty() { json } else { message }));
    if words.trim().is_empty() { "no reason given".into() } else { Clipped::to(&words, 200).to_string() }
}

/// The elements of an array that is scanned as they are cut; an `Err` is the last.
struct Elements<'a> {
    text: &'a str,
    at: usize,
    over: bool,
}

impl<'a> Elements<'a> {
    fn of(text: &'a str) -> Result<Self, Malformed> {
        if !text.starts_with('[') {
            return Err(Malformed("a payload that is not an array"));
        }
        let at = json::skip_space(text.as_bytes(), 1);
        let mut elements = Self { text, at, over: false };
        if text.as_bytes().get(at) == Some(&b']') {
            elements.at = at + 1;
            elements.end()?;
        }
        Ok(elements)
    }

    fn cut(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.text.as_bytes();
        let end = json::value_end(bytes, self.at, budget::JSON_DEPTH - 1)?;
        let element = self.text.get(self.at..end).ok_or(Malformed("a payload cut inside a character"))?;
        let after = json::skip_space(bytes, end);
        match bytes.get(after) {
            Some(b',') => self.at = json::skip_space(bytes, after + 1),
            Some(b']') => {
                self.at = after + 1;
                self.end()?;
            }
            _ => return Err(Malformed("a comma or a closing bracket is missing in JSON")),
        }
        Ok(element)
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.over = true;
        match json::skip_space(self.text.as_bytes(), self.at) == self.text.len() {
            true => Ok(()),
            false => Err(Malformed("text after the JSON value")),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let element = self.cut();
        self.over |= element.is_err();
        Some(element)
    }
}
