//! RFC 6901: the one value that a pointer names, cut out of peer JSON without building a tree of it.

use crate::codec::json;
use std::borrow::Cow;

/// The text at `pointer` in `doc`; a number or a truth value as it is written, null is nothing.
///
/// # Errors
/// A sentence: `doc` is not JSON, the pointer leads nowhere, or to an object or array.
pub fn text<'a>(doc: &'a str, pointer: &str) -> Result<Option<Cow<'a, str>>, String> {
    json::scan(doc).map_err(|why| format!("not the JSON that was due: {why}"))?;
    let mut steps = pointer.split('/');
    if steps.next() != Some("") {
        return Err(format!("the pointer \"{pointer}\" does not begin with /"));
    }
    let mut at = doc.trim();
    for step in steps {
        at = below(at, step).ok_or_else(|| format!("its JSON has nothing at {pointer}"))?;
    }
    match at.as_bytes().first() {
        Some(b'{' | b'[') => Err(format!("its JSON has an object or array at {pointer}, where text was due")),
        Some(b'n') | None => Ok(None),
        Some(_) => Ok(Some(json::string(at).unwrap_or(Cow::Borrowed(at)))),
    }
}

/// One reference token further: a member's name, `~1` and `~0` undone, or an index without leading zeros (section 4).
fn below<'a>(value: &'a str, step: &str) -> Option<&'a str> {
    if value.starts_with('{') {
        return json::member(value, &step.replace("~1", "/").replace("~0", "~"));
    }
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
    if plain { json::elements(value).nth(step.parse().ok()?) } else { None }
}
