//! Long replies in parts (CONTRACT section 2): cut at a paragraph, line, sentence or space; a code fence that is cut is
//! closed and opened again.

/// Splits a reply into parts of at most `limit_utf16` UTF-16 units (at least 2: one character), added fences included. No
/// part is empty or blank, and nothing is lost but space where it was cut. A text that fits stays as it is; a blank one
/// has no parts.
///
/// A fence (three or more backticks or tildes that begin a line) whose line takes more than a quarter of the limit is text
/// like any other: there would be no room to open it again.
#[must_use]
pub fn split_reply(text: &str, limit_utf16: usize) -> Vec<String> {
    let mut rest = Rest { text, at: 0, fence: None, mid_line: false, limit: limit_utf16.max(2) };
    let mut parts = Vec::new();
    while !rest.remaining().trim().is_empty() {
        let cut = if rest.fits() { rest.whole() } else { rest.cut() };
        parts.extend(rest.part(&cut));
        rest = cut.next.seam();
    }
    parts
}

/// An open code fence.
#[derive(Clone, Copy)]
struct Fence<'a> {
    /// The line that opened it.
    line: &'a str,
    /// What closes it: the line's indent and marks.
    closer: &'a str,
    mark: char,
    marks: usize,
}

/// What is still to be said, and what of its surroundings matters.
#[derive(Clone, Copy)]
struct Rest<'a> {
    text: &'a str,
    at: usize,
    /// The fence that `at` stands in.
    fence: Option<Fence<'a>>,
    /// `at` stands within a line.
    mid_line: bool,
    limit: usize,
}

/// Where a part ends and what remains.
#[derive(Clone, Copy)]
struct Cut<'a> {
    end: usize,
    /// The fence that is closed there.
    fence: Option<Fence<'a>>,
    next: Rest<'a>,
}

/// How good a place to cut is, the best first.
#[derive(Clone, Copy)]
enum Place {
    Paragraph,
    Line,
    Sentence,
    Space,
    Anywhere,
    /// Within something that looks like a fence, or that leaves a blank part: only if there is no other.
    Forced,
}

/// What was found on the way through the text.
struct Found<'a> {
    /// Units of the part so far, the fence it begins with included.
    used: usize,
    /// From here on a part is not a short one.
    enough: usize,
    /// Nothing but space so far.
    blank: bool,
    /// By `Place`: the last one, and the last one that leaves no short part.
    last: [Option<Cut<'a>>; 6],
    far: [Option<Cut<'a>>; 6],
}

impl<'a> Found<'a> {
    fn note(&mut self, place: Place, cut: Cut<'a>) {
        if let Some(last) = self.last.get_mut(place as usize) {
            *last = Some(cut);
        }
        if let Some(far) = self.far.get_mut(place as usize).filter(|_| self.used > self.enough) {
            *far = Some(cut);
        }
    }

    /// The best kind that leaves no short part; failing that, the best kind.
    fn best(&self) -> Option<Cut<'a>> {
        let orderly = |cuts: &[Option<Cut<'a>>; 6]| cuts.iter().take(Place::Forced as usize).flatten().next().copied();
        orderly(&self.far).or_else(|| orderly(&self.last)).or(self.last.into_iter().flatten().next())
    }
}

impl<'a> Rest<'a> {
    fn remaining(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn from(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Units of the line that opens the fence again.
    fn opening_units(&self) -> usize {
        self.fence.map_or(0, |fence| units(fence.line) + 1)
    }

    fn closing_units(&self) -> usize {
        self.fence.map_or(0, |fence| units(fence.closer) + 1)
    }

    fn fits(&self) -> bool {
        let room = self.limit.saturating_sub(self.opening_units());
        // a text of few bytes has few units; a long one is counted no further than the room
        self.remaining().len() <= room || self.remaining().chars().map(char::len_utf16).scan(0, sum).all(|n| n <= room)
    }

    /// All that remains; a fence that nobody closed stays open.
    fn whole(&self) -> Cut<'a> {
        let end = self.text.len();
        Cut { end, fence: None, next: Self { at: end, ..*self } }
    }

    /// What is posted; nothing where there is only space.
    fn part(&self, cut: &Cut<'a>) -> Option<String> {
        let piece = self.text.get(self.at..cut.end).filter(|piece| !piece.trim().is_empty())?;
        if self.at == 0 && cut.end == self.text.len() {
            return Some(piece.to_owned());
        }
        let mut part = String::new();
        if let Some(fence) = self.fence {
            part.push_str(fence.line);
            part.push('\n');
        }
        part.push_str(piece.trim_end());
        if let Some(fence) = cut.fence {
            part.push('\n');
            part.push_str(fence.closer);
        }
        Some(part)
    }

    /// The line at `at`, without its end, and where the next begins.
    fn line(&self) -> Option<(&'a str, usize)> {
        let rest = self.remaining();
        match rest.split_once('\n') {
            Some((line, _)) => Some((line, self.at + line.len() + 1)),
            None if rest.is_empty() => None,
            None => Some((rest, self.text.len())),
        }
    }

    /// What remains behind a line.
    fn behind(&self, line: &'a str, after: usize) -> Self {
        let fence = if self.closes(line) { None } else { self.opens(line).or(self.fence) };
        Self { at: after, fence, mid_line: false, ..*self }
    }

    fn opens(&self, line: &'a str) -> Option<Fence<'a>> {
        if self.mid_line || self.fence.is_some() || !self.is_short(line) {
            return None;
        }
        let line = line.trim_end();
        let indent = line.len() - line.trim_start().len();
        let mark = line.trim_start().chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let marks = line.trim_start().chars().take_while(|c| *c == mark).count();
        let (closer, info) = line.split_at_checked(indent + marks)?;
        let opens = marks >= 3 && !(mark == '`' && info.contains('`'));
        opens.then_some(Fence { line, closer, mark, marks })
    }

    fn closes(&self, line: &str) -> bool {
        let Some(fence) = self.fence.filter(|_| !self.mid_line && self.is_short(line)) else { return false };
        let marks = line.trim();
        marks.len() >= fence.marks && marks.chars().all(|c| c == fence.mark)
    }

    fn is_short(&self, line: &str) -> bool {
        line.len() <= self.limit / 4 || units(line) <= self.limit / 4
    }

    /// The best cut; the rest is known not to fit.
    fn cut(&self) -> Cut<'a> {
        let (used, enough) = (self.opening_units(), self.limit / 4);
        let mut found = Found { used, enough, blank: true, last: [None; 6], far: [None; 6] };
        let mut here = *self;
        while let Some((line, after)) = here.line() {
            let Some(behind) = here.walk(line, after, &mut found) else { break };
            here = behind;
        }
        found.best().unwrap_or_else(|| self.forced())
    }

    /// Notes the places within a line and at its end. `None`: the limit was reached.
    fn walk(&self, line: &'a str, after: usize, found: &mut Found<'a>) -> Option<Self> {
        let behind = self.behind(line, after);
        let (opens, closes) = (self.fence.is_none() && behind.fence.is_some(), self.closes(line));
        let solid = !self.mid_line && looks_like_fence(line);
        let room = self.limit.saturating_sub(if closes { 0 } else { behind.closing_units().max(self.closing_units()) });
        let (mut before, mut said_at) = (' ', self.at);
        for (offset, c) in line.char_indices() {
            let at = self.at + offset;
            if said_at <= at {
                said_at = self.text.len() - self.from(at).trim_start().len();
            }
            let place = match c {
                _ if offset == 0 || opens || closes => None,
                _ if solid || found.blank || looks_like_fence(self.from(said_at)) => Some(Place::Forced),
                c if c.is_whitespace() && ends_sentence(before) => Some(Place::Sentence),
                c if c.is_whitespace() => Some(Place::Space),
                _ if ends_sentence_without_space(before) => Some(Place::Sentence),
                _ => Some(Place::Anywhere),
            };
            if let Some(place) = place {
                found.note(place, Cut { end: at, fence: self.fence, next: Self { at, mid_line: true, ..*self } });
            }
            found.used += c.len_utf16();
            found.blank &= c.is_whitespace();
            before = c;
            if found.used > room {
                return None;
            }
        }
        if !opens && after > self.at + line.len() {
            self.note_end(line, closes, behind, found);
        }
        found.used += 1;
        (found.used <= room).then_some(behind)
    }

    /// Notes the end of a line as a place.
    fn note_end(&self, line: &str, closes: bool, behind: Self, found: &mut Found<'a>) {
        let next_line = behind.line().map_or("", |(line, _)| line);
        let ends = closes || next_line.trim().is_empty() || behind.opens(next_line).is_some();
        let place = match found.blank {
            true => Place::Forced,
            false if behind.fence.is_none() && ends => Place::Paragraph,
            false => Place::Line,
        };
        found.note(place, Cut { end: self.at + line.len(), fence: behind.fence, next: behind });
    }

    /// Passes over space where a cut was made, and over a fence's end that would close an empty block.
    fn seam(mut self) -> Self {
        if self.mid_line {
            let rest = self.remaining();
            let space = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n').len();
            self.at += space;
            if self.remaining().starts_with('\n') {
                self.at += 1;
                self.mid_line = false;
            }
        }
        while let Some((line, after)) = self.line().filter(|_| !self.mid_line) {
            if line.trim().is_empty() {
                self.at = after;
            } else if self.closes(line) {
                self = self.behind(line, after);
            } else {
                break;
            }
        }
        self
    }

    /// As much as fits, whatever it cuts: there is no place to cut.
    fn forced(&self) -> Cut<'a> {
        let room = self.limit.saturating_sub(self.opening_units() + self.closing_units());
        let mut end = self.at;
        let mut used = 0;
        for c in self.remaining().chars() {
            used += c.len_utf16();
            if used > room && end > self.at {
                break;
            }
            end += c.len_utf8();
        }
        Cut { end, fence: self.fence, next: Self { at: end, mid_line: true, ..*self } }
    }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn sum(total: &mut usize, units: usize) -> Option<usize> {
    *total += units;
    Some(*total)
}

fn looks_like_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | ':' | ';') || ends_sentence_without_space(c)
}

fn ends_sentence_without_space(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '．')
}
