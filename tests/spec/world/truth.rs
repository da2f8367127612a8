//! What a status says is held against what the world knows.

use super::{World, story};
use guild_bridge::budget;
use guild_bridge::status::{LinkStatus, Status};

/// Messages of one link that wait: a page of history that was asked for while there was room may come on top.
const WINDOW: usize = budget::FOLLOWED_MESSAGES + budget::WINDOW_MESSAGES + budget::HISTORY_LIMIT;

impl World {
    /// A sample of the status, held against what the world knows.
    pub(super) fn sample(&mut self, mut status: Status) {
        if let Some(standing) = &self.standing {
            (status.process.state_mode, status.process.state_detail) = standing.said();
        }
        for link in &status.links {
            self.watch_gaps(&story::link_name(link), link);
        }
        self.lie(&mut status);
        self.hear_standing(status.process.state_mode);
        for link in &status.links {
            let known = self.story.status.links.iter().find(|k| k.agent == link.agent && k.guild == link.guild);
            if known.is_none_or(|k| k.state != link.state || k.detail != link.detail) {
                self.assert_no_secret(&serde_json::to_string(&status).expect("a status is JSON"));
            }
            assert!(link.channels_proven <= link.channels_total, "more channels proven than there are: {link:?}");
            assert!(link.outbox_depth <= budget::OUTBOX_POSTS + 64, "the outbox has no bound: {link:?}");
            assert!(link.letters <= budget::LETTERS, "the letters have no bound: {link:?}");
            self.assert_truthful(link);
        }
        for agent in &status.agents {
            let links = status.links.iter().filter(|link| link.agent == agent.agent).count();
            assert!(agent.waiting <= links * WINDOW, "the window has no bound: {agent:?}");
        }
        self.story.sample(self.at, status);
    }

    /// What the link says of itself is what the world sees from outside.
    fn assert_truthful(&self, link: &LinkStatus) {
        let name = story::link_name(link);
        let greeted = self.socket_of(&name).is_some();
        // a token that no model minted is nobody's
        let known = !self.sockets.keys().any(|link| link.starts_with("nobody@"));
        match link.state {
            "live" => self.assert_proven(&name),
            "unproven" => assert!(greeted || !known, "{name} says that it is connected, and is not\n{}", self.tail()),
            "backoff" | "refused" | "minting" => {
                assert!(!greeted, "{name} says that it is {}, and is connected\n{}", link.state, self.tail());
            }
            _ => {}
        }
        let waits = matches!(link.state, "backoff" | "refused");
        assert!(!waits || link.next_try_s.is_some(), "{name} waits and does not say how long: {link:?}");
        assert_eq!(link.gaps, link.gaps_by_reason.values().sum::<u64>(), "{name}: gaps do not add up: {link:?}");
    }

    fn assert_proven(&self, name: &str) {
        let socket = self.socket_of(name).unwrap_or_else(|| panic!("{name} is live without a connection"));
        let hall = &self.halls[self.places[&super::line_of(socket)]];
        let proof = hall.wires.get(&socket).and_then(|w| w.proof_at);
        let at = self.at;
        assert!(proof.is_some_and(|p| p <= at), "{name} is live without proof at {at} ms\n{}", self.tail());
    }

    pub(super) fn assert_no_secret(&self, text: &str) {
        for secret in ["key-of-", "gat."] {
            assert!(!text.contains(secret), "a secret is shown: {text}");
        }
    }
}
