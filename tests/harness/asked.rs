//! What the command line of a program of scenarios asks for. `cargo test NAME` and nextest hand foreign names and the
//! options of the standard harness to every target: those are understood. Any other is a mistake, and is told.

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    ignored: bool,
    /// Names only.
    pub list: bool,
    /// A skip fails.
    pub require: bool,
    /// Those that soak, instead of the others.
    pub soak: bool,
    /// So many side by side.
    pub jobs: usize,
}

impl Asked {
    /// Reads the arguments behind the program's name. `jobs`: side by side where nobody says how many.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn read(jobs: usize, args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (filters, skipped) = (Vec::new(), Vec::new());
        let (exact, ignored, list, require, soak) = (false, false, false, false, false);
        let mut asked = Self { filters, skipped, exact, ignored, list, require, soak, jobs };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') {
                asked.filters.push(arg);
                continue;
            }
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            if !takes_value(&option)? {
                match value {
                    Some(_) => return Err(format!("{option} takes no value")),
                    None => asked.switch(&option),
                }
                continue;
            }
            let value = value.or_else(|| args.next()).ok_or(format!("{option} wants a value"))?;
            asked.take(&option, value)?;
        }
        Ok(asked)
    }

    fn switch(&mut self, option: &str) {
        match option {
            "--list" => self.list = true,
            "--exact" => self.exact = true,
            "--ignored" => self.ignored = true,
            "--require" => self.require = true,
            "--soak" => self.soak = true,
            // how the standard harness prints
            _ => {}
        }
    }

    fn take(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "--jobs" | "--test-threads" => match value.parse() {
                Ok(jobs @ 1..) => self.jobs = jobs,
                Ok(0) | Err(_) => return Err(format!("{option} {value}: not a number from 1 on")),
            },
            "--skip" => self.skipped.push(value),
            // how the standard harness prints
            _ => {}
        }
        Ok(())
    }

    /// Whether the scenario of this name is among them.
    pub fn wants(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        // there is none that is ignored
        !self.ignored && (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skipped.iter().any(fits)
    }
}

/// Whether an option takes a value.
fn takes_value(option: &str) -> Result<bool, String> {
    match option {
        "--list" | "--exact" | "--require" | "--soak" | "--ignored" | "--include-ignored" | "--nocapture" => Ok(false),
        "--no-capture" | "--show-output" | "--quiet" | "-q" => Ok(false),
        "--jobs" | "--test-threads" | "--skip" | "--format" | "--color" => Ok(true),
        _ => Err(format!("{option}: no such option; there are --list, --exact, --skip, --jobs, --require and --soak")),
    }
}
