//! JSON with `//` and `/* */` comments and trailing commas, read into a tree that knows where each value stands.
//! Everything else is JSON as RFC 8259 has it: no single quotes, no bare names, no missing commas.

use crate::budget;

/// A place in the text, in bytes from its start.
pub type Offset = usize;

/// A value and where it begins.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Offset,
    /// What it is.
    pub value: Value,
}

/// What stands there.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number, as it was written.
    Number(String),
    /// A string, its escapes resolved.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object: its fields in the order of the file, doubled names included.
    Object(Vec<Entry>),
}

/// One field of an object.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// Where its name begins.
    pub at: Offset,
    /// Its name.
    pub name: String,
    /// Its value.
    pub node: Node,
}

/// Why the text is not JSON, where it ceases to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where.
    pub at: Offset,
    /// What is wrong and what to do.
    pub what: String,
}

impl Node {
    /// A field of an object; of two of one name the first.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Entry> {
        match &self.value {
            Value::Object(entries) => entries.iter().find(|entry| entry.name == name),
            Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }
}

impl Value {
    /// What it is, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Itself as plain JSON, without comments.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => write_text(text, out),
            Self::List(nodes) => {
                for (place, node) in nodes.iter().enumerate() {
                    out.push(if place == 0 { '[' } else { ',' });
                    node.value.write(out);
                }
                out.push_str(if nodes.is_empty() { "[]" } else { "]" });
            }
            Self::Object(entries) => {
                for (place, entry) in entries.iter().enumerate() {
                    out.push(if place == 0 { '{' } else { ',' });
                    write_text(&entry.name, out);
                    out.push(':');
                    entry.node.value.write(out);
                }
                out.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Reads one value, nested at most `budget::JSON_DEPTH` deep.
///
/// # Errors
/// The first place where the text is not what is described above.
pub fn parse(text: &str) -> Result<Node, Broken> {
    let mut reader = Reader { text, at: 0 };
    reader.skip()?;
    let node = reader.node(0)?;
    reader.skip()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.broken("something follows the end of the configuration; remove it")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: Offset,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn broken(&self, what: impl Into<String>) -> Broken {
        Broken { at: self.at, what: what.into() }
    }

    fn broken_at<T>(at: Offset, what: impl Into<String>) -> Result<T, Broken> {
        Err(Broken { at, what: what.into() })
    }

    /// Blanks and comments.
    fn skip(&mut self) -> Result<(), Broken> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let rest = rest.get(blank..).unwrap_or_default();
            let comment = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                match rest.get(2..).and_then(|inner| inner.find("*/")) {
                    Some(end) => end + 4,
                    None => return Self::broken_at(self.at + blank, "this comment does not end; close it with */"),
                }
            } else {
                0
            };
            self.at += blank + comment;
            if comment == 0 {
                return Ok(());
            }
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, Broken> {
        if depth > budget::JSON_DEPTH {
            return Err(self.broken(format!("nested deeper than {} levels; flatten it", budget::JSON_DEPTH)));
        }
        let at = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'\'') => return Err(self.broken("a string stands in double quotes")),
            Some(_) => self.word()?,
            None => return Err(self.broken("the file ends where a value is due")),
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, Broken> {
        let begun = self.at;
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.skip()?;
            let at = self.at;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                None => return Self::broken_at(begun, "this object does not end; close it with }"),
                Some(b',') => return Err(self.broken("a comma too many; remove it")),
                Some(_) => return Err(self.broken("a field's name in double quotes is due, or }")),
            }
            let name = self.string()?;
            self.skip()?;
            if self.peek() != Some(b':') {
                return Err(self.broken(format!("a colon is due after \"{name}\"")));
            }
            self.at += 1;
            self.skip()?;
            entries.push(Entry { at, name, node: self.node(depth + 1)? });
            self.between(b'}')?;
        }
        self.at += 1;
        Ok(Value::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Broken> {
        let begun = self.at;
        let mut nodes = Vec::new();
        self.at += 1;
        loop {
            self.skip()?;
            match self.peek() {
                Some(b']') => break,
                None => return Self::broken_at(begun, "this list does not end; close it with ]"),
                Some(b',') => return Err(self.broken("a comma too many; remove it")),
                Some(_) => nodes.push(self.node(depth + 1)?),
            }
            self.between(b']')?;
        }
        self.at += 1;
        Ok(Value::List(nodes))
    }

    /// After an element: its comma, or what closes (which stays).
    fn between(&mut self, close: u8) -> Result<(), Broken> {
        let end = self.at;
        self.skip()?;
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(other) if other != close => return Self::broken_at(end, "a comma is missing here"),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, Broken> {
        let begun = self.at;
        let mut escaped = false;
        for (place, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' | b'\r' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at += place + 1;
                    let literal = self.text.get(begun..self.at).unwrap_or_default();
                    return serde_json::from_str(literal).or_else(|error| {
                        let at = begun + error.column().saturating_sub(1);
                        Self::broken_at(at, format!("this string is not JSON's ({}); mend it", said(&error)))
                    });
                }
                _ => {}
            }
        }
        Self::broken_at(begun, "this string does not end on its line; close it with \" (a line break in it is \\n)")
    }

    fn number(&mut self) -> Result<Value, Broken> {
        let literal = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        match serde_json::from_str::<serde_json::Number>(&literal) {
            Ok(_) => Ok(Value::Number(literal)),
            Err(error) => {
                let why = if said(&error) == "number out of range" {
                    "a number too large to be read"
                } else {
                    "not a number of JSON"
                };
                Self::broken_at(self.at - literal.len(), format!("`{literal}` is {why}"))
            }
        }
    }

    fn word(&mut self) -> Result<Value, Broken> {
        let word = self.take(|c| c.is_alphanumeric() || c == '_');
        let begun = self.at - word.len();
        match word.as_str() {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            "null" => Ok(Value::Null),
            "" => Self::broken_at(begun, "a value is due here"),
            word => Self::broken_at(begun, format!("`{word}` is no value; a string stands in double quotes")),
        }
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let taken = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        taken
    }
}

/// What serde_json says, without its "at line 1 column 7": the place is ours to say.
fn said(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    whole.rfind(" at line ").and_then(|end| whole.get(..end)).unwrap_or(&whole).to_owned()
}
