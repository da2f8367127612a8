//! The words of UCI: sections with options and lists, as `uci export` writes them and as people do. Quotes are `'…'`, in
//! which nothing is special, and `"…"`, in which a backslash takes the next character as it is; a `#` begins a comment.

use super::Fault;
use crate::config::schema::nearest;

/// `config KIND 'NAME'` and what follows.
#[derive(Debug)]
pub struct Section {
    /// Its line.
    pub line: usize,
    /// Its kind.
    pub kind: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its options and lists, in their order.
    pub given: Vec<Given>,
}

/// An option, or a list.
#[derive(Debug)]
pub struct Given {
    /// Its first line.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its values: an option has one.
    pub values: Vec<String>,
}

impl Given {
    /// The value, where there is exactly one.
    pub fn one(&self) -> Option<&str> {
        match self.values.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Section {
    /// An option's value.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|given| given.name == name)?.one()
    }

    /// Its kind and name, for people.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} {name}", self.kind),
            None => self.kind.clone(),
        }
    }

    fn give(&mut self, line: usize, name: String, value: String, list: bool) -> Result<(), String> {
        match self.given.iter_mut().find(|given| given.name == name) {
            None => self.given.push(Given { line, name, values: vec![value] }),
            Some(given) if list => given.values.push(value),
            Some(given) => return Err(format!("is given twice, in line {} and here", given.line)),
        }
        Ok(())
    }
}

/// All sections, in their order.
///
/// # Errors
/// The first line that is not UCI.
pub fn sections(text: &str) -> Result<Vec<Section>, Fault> {
    let mut sections: Vec<Section> = Vec::new();
    for (line, words) in statements(text)? {
        let broken = |what: String| Fault { line, path: String::new(), what };
        let mut words = words.into_iter();
        let first = words.next().unwrap_or_default();
        let (one, two, more) = (words.next(), words.next(), words.next());
        if let Some(more) = more {
            return Err(broken(format!("`{more}` is one word too many; put a value with blanks into quotes")));
        }
        match (first.as_str(), one, two) {
            ("package", Some(_), None) => {}
            ("config", Some(kind), name) => sections.push(Section { line, kind, name, given: Vec::new() }),
            (what @ ("option" | "list"), Some(name), Some(value)) => {
                let section = sections.last_mut().ok_or_else(|| broken(format!("{what} before any `config`")))?;
                let path = format!("{}: {name}", section.title());
                section.give(line, name, value, what == "list").map_err(|what| Fault { line, path, what })?;
            }
            ("package" | "config" | "option" | "list", _, _) => {
                return Err(broken(format!("`{first}` has too few words, or too many")));
            }
            (other, _, _) => {
                let near = nearest(other, ["config", "option", "list", "package"]);
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(broken(format!("`{other}` is not config, option or list{near}")));
            }
        }
    }
    Ok(sections)
}

/// The words of each line that has some, with the line where they begin. A quoted word may hold line breaks.
fn statements(text: &str) -> Result<Vec<(usize, Vec<String>)>, Fault> {
    let mut statements = Vec::new();
    let (mut line, mut begun, mut words) = (1, 1, Vec::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => {
                if !words.is_empty() {
                    statements.push((begun, std::mem::take(&mut words)));
                }
                line += 1;
            }
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            c if c.is_whitespace() => {}
            c => {
                if words.is_empty() {
                    begun = line;
                }
                words.push(word(c, &mut rest, &mut line)?);
            }
        }
    }
    if !words.is_empty() {
        statements.push((begun, words));
    }
    Ok(statements)
}

/// One word: quoted and bare pieces that touch each other.
fn word(first: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, line: &mut usize) -> Result<String, Fault> {
    let mut word = String::new();
    let mut next = Some(first);
    while let Some(c) = next {
        match c {
            '\'' | '"' => {
                let begun = *line;
                let open =
                    || Fault { line: begun, path: String::new(), what: format!("the quote {c} is never closed") };
                loop {
                    match rest.next().ok_or_else(open)? {
                        end if end == c => break,
                        '\\' if c == '"' => word.push(rest.next().ok_or_else(open)?),
                        inner => {
                            *line += usize::from(inner == '\n');
                            word.push(inner);
                        }
                    }
                }
            }
            '\\' => word.extend(rest.next()),
            c => word.push(c),
        }
        next = rest.next_if(|c| !c.is_whitespace());
    }
    Ok(word)
}
