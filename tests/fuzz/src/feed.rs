//! An input as a row of choices. When it is used up every choice is the first: all that follows is plain.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a>(&'a [u8]);

impl<'a> Feed<'a> {
    /// All of an input.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether it is used up.
    #[must_use]
    pub fn over(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let byte = usize::from(self.byte());
        byte.checked_rem(n).unwrap_or(0)
    }

    /// True in one of two cases.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of any size, small ones as likely as large ones.
    pub fn number(&mut self) -> u64 {
        let count = self.below(9);
        (0..count).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Bytes behind their count, at most 65,535.
    pub fn bytes(&mut self) -> &'a [u8] {
        let (high, low) = (usize::from(self.byte()), usize::from(self.byte()));
        // most counts are meant to be short: a high byte beyond the first few counts for nothing
        let count = if high < 8 { high << 8 | low } else { low };
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Text behind its count, as far as it is UTF-8.
    pub fn text(&mut self) -> &'a str {
        valid(self.bytes())
    }

    /// All that is left, as text, as far as it is UTF-8.
    #[must_use]
    pub fn rest(self) -> &'a str {
        valid(self.0)
    }
}

/// The beginning that is UTF-8.
fn valid(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}
