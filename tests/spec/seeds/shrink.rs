//! The shortest schedule that still fails in the same way: acts go first, then pauses and bursts, then the world's traits.

use super::Failure;
use super::schedule::{Act, Deed, Does, Schedule, Wrong};
use super::traits::Traits;
use serde_json::{Value, json};

/// A schedule that was made as short as `tries` runs allow.
pub struct Shrunk {
    pub schedule: Schedule,
    pub failure: Failure,
    pub runs: u32,
}

struct Shrinker<'a> {
    best: Schedule,
    failure: Failure,
    runs: u32,
    most: u32,
    run: &'a dyn Fn(&Schedule) -> Result<(), Failure>,
}

/// Shrinks a schedule that failed so, in at most so many runs.
pub fn shrink(
    schedule: &Schedule,
    failure: &Failure,
    most: u32,
    run: &dyn Fn(&Schedule) -> Result<(), Failure>,
) -> Shrunk {
    let mut shrinker = Shrinker { best: schedule.clone(), failure: failure.clone(), runs: 0, most, run };
    loop {
        let before = shrinker.best.clone();
        shrinker.fewer_acts();
        shrinker.simpler_acts();
        shrinker.simpler_traits();
        if shrinker.best == before || shrinker.runs >= most {
            let Shrinker { best, failure, runs, .. } = shrinker;
            return Shrunk { schedule: best, failure, runs };
        }
    }
}

impl Shrinker<'_> {
    /// Whether it still fails in the same way; then it is the best so far.
    fn takes(&mut self, schedule: Schedule) -> bool {
        if self.runs >= self.most || schedule == self.best {
            return false;
        }
        self.runs += 1;
        match (self.run)(&schedule) {
            Err(failure) if failure.kind == self.failure.kind => {
                (self.best, self.failure) = (schedule, failure);
                true
            }
            _ => false,
        }
    }

    /// Delta debugging: halves go, then quarters, down to single acts.
    fn fewer_acts(&mut self) {
        let mut size = self.best.acts.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.best.acts.len() {
                let mut fewer = self.best.clone();
                let end = (at + size).min(fewer.acts.len());
                fewer.acts.drain(at..end);
                if !self.takes(fewer) {
                    at += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn simpler_acts(&mut self) {
        for at in 0..self.best.acts.len() {
            loop {
                let simpler = simpler(&self.best.acts[at]);
                let took = simpler.into_iter().any(|act| {
                    let mut schedule = self.best.clone();
                    schedule.acts[at] = act;
                    self.takes(schedule)
                });
                if !took {
                    break;
                }
            }
        }
    }

    /// Each trait as in the simplest world.
    fn simpler_traits(&mut self) {
        let plain = json!(Traits::default());
        let names: Vec<String> = plain.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
        for name in names {
            let mut traits = json!(self.best.traits);
            traits[name.as_str()] = plain[name.as_str()].clone();
            let Ok(traits) = serde_json::from_value(traits) else { continue };
            self.takes(Schedule { traits, ..self.best.clone() });
        }
    }
}

/// Acts that are simpler than this one, the simplest first: any number in it none, or half of itself.
fn simpler(act: &Act) -> Vec<Act> {
    let whole = json!(act);
    let mut found = Vec::new();
    numbers(&whole, &mut Vec::new(), &mut |path, number| {
        for less in [0, 1, number / 2].into_iter().filter(|less| *less < number) {
            let mut changed = whole.clone();
            let place = path.iter().try_fold(&mut changed, |at, step| match step {
                Step::Name(name) => at.get_mut(name),
                Step::At(index) => at.get_mut(index),
            });
            if let Some(place) = place {
                *place = json!(less);
            }
            found.extend(serde_json::from_value::<Act>(changed).ok());
        }
    });
    found.retain(sensible);
    found
}

/// What would do nothing at all is no simpler act; one that is not there is.
fn sensible(act: &Act) -> bool {
    match &act.deed {
        Deed::Say { count, .. } => *count > 0,
        Deed::Calls { times, wrong, .. } => {
            *times > 0
                && match wrong {
                    Wrong::Status(status, _) => *status >= 400,
                    Wrong::Refused
                    | Wrong::LostBefore
                    | Wrong::LostAfter
                    | Wrong::Slow(_)
                    | Wrong::Hangs
                    | Wrong::Page => true,
                }
        }
        Deed::DeafSessions { times, .. }
        | Deed::EventsLost { times, .. }
        | Deed::ConnectSilence { times, .. }
        | Deed::Reject { times, .. }
        | Deed::Flaps { times, .. }
        | Deed::RefusePosts { times, .. }
        | Deed::StoredThen500 { times, .. }
        | Deed::Mint { times, .. }
        | Deed::Unauthorized { times, .. } => *times > 0,
        Deed::Bot { count, .. } => *count > 0,
        Deed::Agent { does: Does::Parts(parts), .. } => *parts > 1,
        _ => true,
    }
}

#[derive(Clone)]
enum Step {
    Name(String),
    At(usize),
}

/// Every number above none in a value, with the way to it.
fn numbers(value: &Value, path: &mut Vec<Step>, found: &mut dyn FnMut(&[Step], u64)) {
    match value {
        Value::Number(number) => {
            if let Some(number) = number.as_u64().filter(|n| *n > 0) {
                found(path, number);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(Step::At(at));
                numbers(item, path, found);
                path.pop();
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                path.push(Step::Name(name.clone()));
                numbers(item, path, found);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
