//! A place that the journal lost, looked for in history: behind the last message that the agent answered. What stands
//! behind that and was answered all the same (another thread's) is known by its answer.

use crate::budget;
use crate::lane::Place;
use std::collections::VecDeque;

/// The search in one channel: its messages pass, the oldest first.
#[derive(Default)]
pub struct Recall {
    /// The last messages that passed, and whether the agent answered them.
    last: VecDeque<(String, bool)>,
    /// The last message that is not among them any more.
    before: Option<String>,
    place: Option<Place>,
    /// The place is that of an answered message, not of a post that answers none.
    answered: bool,
}

impl Recall {
    /// A message passes; `answers`: it is the agent's own, and what it answers.
    pub fn pass(&mut self, id: &str, answers: Option<Option<&str>>) {
        if let Some(reply_to) = answers {
            self.own(id, reply_to);
        }
        self.last.push_back((id.to_owned(), false));
        while self.last.len() > budget::RECALLED {
            let Some((id, answered)) = self.last.pop_front() else { return };
            let before = self.before.replace(id.clone());
            // what was answered and is remembered no longer must not be asked again
            if answered && !self.holds_place() {
                self.place = Some(Place { before, id: Some(id) });
            }
        }
    }

    /// The place, and what was answered behind it. `None`: the agent has no post here.
    #[must_use]
    pub fn found(self) -> Option<(Place, Vec<String>)> {
        let place = self.place?;
        let behind = self.last.iter().position(|(id, _)| place.id.as_deref() == Some(id)).map_or(0, |at| at + 1);
        let answered = self.last.into_iter().skip(behind).filter(|(_, answered)| *answered).map(|(id, _)| id);
        Some((place, answered.collect()))
    }

    fn own(&mut self, id: &str, reply_to: Option<&str>) {
        let at = self.last.iter().rposition(|(other, _)| Some(other.as_str()) == reply_to);
        if let Some((answered, said)) = at.and_then(|at| self.last.get_mut(at)) {
            *said = true;
            let id = Some(answered.clone());
            (self.place, self.answered) = (Some(Place { before: self.id_before(at), id }), true);
        } else if !(self.answered && self.holds_place()) {
            // a later part of a long reply, or what was sent unasked: what stands before it may still be open
            (self.place, self.answered) =
                (Some(Place { before: self.id_before(None), id: Some(id.to_owned()) }), false);
        }
    }

    /// The message before one of the last, or before the next.
    fn id_before(&self, at: Option<usize>) -> Option<String> {
        let before = at.unwrap_or(self.last.len()).checked_sub(1);
        before.and_then(|before| self.last.get(before)).map(|(id, _)| id.clone()).or_else(|| self.before.clone())
    }

    fn holds_place(&self) -> bool {
        let place = self.place.as_ref().and_then(|place| place.id.as_deref());
        place.is_some() && self.last.iter().any(|(id, _)| Some(id.as_str()) == place)
    }
}
