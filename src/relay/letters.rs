//! What people do with letters: list them, send them again, drop them.

use super::Relay;
use crate::budget;
use crate::link::Link;
use crate::message::LinkId;
use crate::moment::Now;
use crate::port::{Client, Output, Told};
use crate::reason::{Reason, Why};
use crate::status::LettersStatus;
use crate::text::Clipped;

/// Which letters are meant: of which links, and of one key where one was given.
type Meant = (Vec<LinkId>, Option<String>);

impl Relay {
    pub(super) fn list_letters(&mut self, client: Client) {
        let total = self.links.iter().map(Link::letters).sum();
        let listed = self.links.iter().flat_map(Link::letters_listed);
        let letters = LettersStatus { total, listed: listed.take(budget::LETTERS_LISTED).collect() };
        self.out.push_back(Output::Tell(client, Told::Letters(Box::new(letters))));
    }

    pub(super) fn show_letter(&mut self, client: Client, key: &str) {
        let whole = self.links.iter().find_map(|link| link.letter_whole(key));
        let told = match whole {
            Some(letter) => Told::Letters(Box::new(LettersStatus { total: 1, listed: vec![letter] })),
            None => Told::Refused(Why::new(
                Reason::ControlRequest,
                format!("there is no letter with the key {}", Clipped(key)),
            )),
        };
        self.out.push_back(Output::Tell(client, told));
    }

    pub(super) fn letters_again(&mut self, client: Client, which: Option<&str>, now: Now) {
        let told = self.letters_meant(which).and_then(|(links, key)| {
            let (mut went, mut stay) = (0, 0);
            for id in links {
                self.with_link(id, now, |link, step| {
                    let (of_link, left) = link.letters_again(key.as_deref(), step);
                    (went, stay) = (went + of_link, stay + left);
                });
            }
            let in_outbox = format!("{} in the outbox again", letters_are(went));
            note(went, &in_outbox, which);
            match stay {
                0 => Ok(in_outbox),
                _ => refuse(format!("{in_outbox}; {stay} stay: the outbox is full; ask again later")),
            }
        });
        self.tell_of_letters(client, told);
    }

    pub(super) fn drop_letters(&mut self, client: Client, which: Option<&str>, now: Now) {
        let told = self.letters_meant(which).map(|(links, key)| {
            let mut dropped = 0;
            for id in links {
                self.with_link(id, now, |link, step| dropped += link.drop_letters(key.as_deref(), step));
            }
            let said = format!("{} dropped", letters_are(dropped));
            note(dropped, &said, which);
            said
        });
        self.tell_of_letters(client, told);
    }

    fn tell_of_letters(&mut self, client: Client, told: Result<String, Why>) {
        let told = told.map_or_else(Told::Refused, Told::Done);
        self.out.push_back(Output::Tell(client, told));
    }

    /// A letter's key, an agent's name, or all.
    fn letters_meant(&self, which: Option<&str>) -> Result<Meant, Why> {
        let ids = |is: &dyn Fn(&&Link) -> bool| self.links.iter().filter(is).map(Link::id).collect::<Vec<_>>();
        let Some(which) = which else { return Ok((ids(&|_| true), None)) };
        let holds = ids(&|link| link.holds_letter(which));
        if !holds.is_empty() {
            return Ok((holds, Some(which.to_owned())));
        }
        let of_agent = ids(&|link| link.seat().agent.name == which);
        match of_agent.is_empty() {
            true => refuse(format!("there is no letter with the key {0}, and no agent {0}", Clipped(which))),
            false => Ok((of_agent, None)),
        }
    }
}

/// What somebody did with letters, for the log.
fn note(count: usize, said: &str, which: Option<&str>) {
    if count > 0 {
        log::info!(
            "{said}, as somebody asked ({})",
            which.map_or("all".to_owned(), |which| Clipped(which).to_string())
        );
    }
}

fn refuse<T>(detail: String) -> Result<T, Why> {
    Err(Why::new(Reason::ControlRequest, detail))
}

fn letters_are(count: usize) -> String {
    match count {
        0 => "no letter is".to_owned(),
        1 => "1 letter is".to_owned(),
        _ => format!("{count} letters are"),
    }
}
