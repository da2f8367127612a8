//! What the command line of the search asks for. `cargo test NAME` and nextest hand foreign names and the options of the
//! standard harness to every target: those are understood. Any other that is not ours is a mistake, and is told.

/// The one test, for whoever lists or filters.
pub const NAME: &str = "random_schedules";
/// Schedules that are played where nobody says how many: what CI asks for.
pub const SEEDS: u64 = 10_000;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    /// Nothing but names; there may be none.
    List(Option<&'static str>),
    /// The names that were asked for are not here: why nothing is played.
    Nothing(String),
    Many {
        from: u64,
        /// Behind the last.
        end: u64,
        jobs: Option<usize>,
    },
    One(u64),
    Replay(String),
}

#[derive(Default)]
struct Given {
    seeds: Option<u64>,
    from: Option<u64>,
    jobs: Option<u64>,
    seed: Option<u64>,
    replay: Option<String>,
    /// The first option of ours that was given.
    ours: Option<String>,
    list: bool,
    help: bool,
    exact: bool,
    ignored: bool,
    filters: Vec<String>,
    skipped: Vec<String>,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn read(args: impl IntoIterator<Item = String>) -> Result<Asked, String> {
    let mut given = Given::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            given.filters.push(arg);
            continue;
        }
        let (option, mut value) = match arg.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        let takes = takes_value(&option).ok_or(format!("{option}: no such option; --help says which there are"))?;
        if takes && value.is_none() {
            value = Some(args.next().ok_or(format!("{option} wants a value"))?);
        }
        match value {
            Some(_) if !takes => return Err(format!("{option} takes no value")),
            value => given.take(option, value.unwrap_or_default())?,
        }
    }
    given.decide()
}

/// Whether an option takes a value; `None`: it is neither ours nor the standard harness's.
fn takes_value(option: &str) -> Option<bool> {
    match option {
        "--seeds" | "--from" | "--jobs" | "--seed" | "--replay" => Some(true),
        "--test-threads" | "--format" | "--color" | "--logfile" | "--skip" | "--shuffle-seed" | "-Z" => Some(true),
        "--list" | "--help" | "-h" | "--exact" | "--ignored" | "--include-ignored" | "--nocapture" => Some(false),
        "--no-capture" | "--show-output" | "--quiet" | "-q" | "--test" | "--bench" | "--shuffle" => Some(false),
        "--report-time" | "--ensure-time" | "--exclude-should-panic" | "--force-run-in-process" => Some(false),
        _ => None,
    }
}

impl Given {
    fn take(&mut self, option: String, value: String) -> Result<(), String> {
        match option.as_str() {
            "--list" => self.list = true,
            "--help" | "-h" => self.help = true,
            "--exact" => self.exact = true,
            "--ignored" => self.ignored = true,
            "--skip" => self.skipped.push(value),
            "--seeds" => once(&mut self.seeds, &option, number(&option, &value, 1)?)?,
            "--from" => once(&mut self.from, &option, number(&option, &value, 0)?)?,
            "--jobs" => once(&mut self.jobs, &option, number(&option, &value, 1)?)?,
            "--seed" => once(&mut self.seed, &option, number(&option, &value, 0)?)?,
            "--replay" => once(&mut self.replay, &option, value)?,
            // the standard harness's
            _ => {}
        }
        if matches!(option.as_str(), "--seeds" | "--from" | "--jobs" | "--seed" | "--replay") {
            self.ours.get_or_insert(option);
        }
        Ok(())
    }

    fn decide(self) -> Result<Asked, String> {
        if self.help {
            return Ok(Asked::Help);
        }
        let fits = |name: &String| if self.exact { name == NAME } else { NAME.contains(name.as_str()) };
        let named = self.filters.is_empty() || self.filters.iter().any(fits);
        let chosen = named && !self.skipped.iter().any(fits) && !self.ignored;
        if self.list {
            return Ok(Asked::List(chosen.then_some(NAME)));
        }
        if !chosen {
            let why = format!("no schedule is played: the one test here is {NAME}, which was not asked for");
            return match self.ours {
                Some(ours) => Err(format!("{ours} stands beside names or options that leave it out: {why}")),
                None => Ok(Asked::Nothing(why)),
            };
        }
        let many = [(self.seeds, "--seeds"), (self.from, "--from"), (self.jobs, "--jobs")];
        let many = many.iter().find(|(given, _)| given.is_some()).map(|(_, option)| *option);
        match (self.seed, self.replay, many) {
            (Some(_), Some(_), _) => Err("--seed and --replay: one schedule at a time".into()),
            (Some(_), None, Some(option)) => Err(format!("--seed and {option}: one schedule, or many")),
            (None, Some(_), Some(option)) => Err(format!("--replay and {option}: one schedule, or many")),
            (Some(seed), None, None) => Ok(Asked::One(seed)),
            (None, Some(text), None) => Ok(Asked::Replay(text)),
            (None, None, _) => {
                let (from, seeds) = (self.from.unwrap_or(0), self.seeds.unwrap_or(SEEDS));
                let end = from.checked_add(seeds);
                let end = end.ok_or(format!("--from {from} and {seeds} seeds: the last seed is {}", u64::MAX - 1))?;
                let jobs = self.jobs.map(|jobs| usize::try_from(jobs).unwrap_or(usize::MAX).min(1_024));
                Ok(Asked::Many { from, end, jobs })
            }
        }
    }
}

fn number(option: &str, value: &str, least: u64) -> Result<u64, String> {
    let number = value.parse().map_err(|_| format!("{option} {value}: not a number from {least} to {}", u64::MAX))?;
    if number < least { Err(format!("{option} {value}: nothing would be played")) } else { Ok(number) }
}

fn once<T>(slot: &mut Option<T>, option: &str, value: T) -> Result<(), String> {
    if slot.replace(value).is_some() { Err(format!("{option} is given twice")) } else { Ok(()) }
}
