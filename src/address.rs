//! Whom a message is for: whether an agent is asked to answer it. Deny by default (CONTRACT section 2).

use crate::dialect::Incoming;
use crate::message::Kind;
use crate::settings::{Agent, RespondTo};
use crate::text;
use std::collections::BTreeSet;

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The agent's own: never answered.
    Own,
    /// Not for it.
    Ignored,
    /// It is asked.
    Asked {
        /// It was mentioned.
        mention: bool,
        /// A bot asks: the conversation's budget applies.
        bot: bool,
    },
}

/// Judges a message for an agent. `colleagues`: ids of this daemon's agents in that guild; `own_posts`: whether an id
/// is one of the agent's own last posts.
pub fn verdict(
    agent: &Agent,
    colleagues: &BTreeSet<String>,
    kind: Kind,
    message: &Incoming<'_>,
    own_posts: impl Fn(&str) -> bool,
) -> Verdict {
    if message.author == agent.id {
        return Verdict::Own;
    }
    let mention = mentions(agent, message, own_posts);
    let bot = message.bot || colleagues.contains(message.author.as_ref());
    let asked = if bot && !agent.bots_all {
        mention
    } else {
        match agent.respond_to {
            RespondTo::All => true,
            RespondTo::Mentions => mention || kind == Kind::Dm,
            RespondTo::Direct => kind == Kind::Dm,
        }
    };
    if asked { Verdict::Asked { mention, bot } } else { Verdict::Ignored }
}

fn mentions(agent: &Agent, message: &Incoming<'_>, own_posts: impl Fn(&str) -> bool) -> bool {
    if message.reply_to.as_deref().is_some_and(own_posts) {
        return true;
    }
    if let Some(ids) = &message.mentions {
        return ids.iter().any(|id| *id == agent.id);
    }
    if !message.text.contains('@') {
        return false;
    }
    let mut names: Vec<&str> = vec![&agent.id, &agent.name];
    names.extend(agent.names.iter().map(String::as_str));
    text::names_agent(&message.text, &names)
}
