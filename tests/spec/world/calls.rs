//! A guild's HTTP side: calls in, answers out, with what can go wrong on the way.

use super::hall::{Hall, Trouble, What};
use super::happening::{Event, Happening, Head, Request, Response};
use super::model::{self, Delivery};
use guild_bridge::call::Ticket;
use guild_bridge::reason::{Reason, Why};
use serde_json::{Value, json};

impl Hall {
    pub fn request(&mut self, life: u32, ticket: Ticket, worker: usize, request: &Request) {
        let (route, channel, target) = route_of(&request.url, request.post);
        self.tell(format!("call {route}{}{channel}", if channel.is_empty() { "" } else { " " }));
        self.calls.push((self.now, route.clone(), channel.clone(), request.clone()));
        if route == "post" {
            self.watch_post(life, request);
        }
        let what = self.strike(&route, &channel);
        let bearer = request.bearer.as_deref().unwrap_or_default();
        self.note(|| format!("{target} {bearer} {} {what:?}", request.body));
        let back = self.now + self.way_ms();
        let failed = |reason, sent| Response::Failed(Why::new(reason, "simulated"), sent);
        let (at, response) = match what {
            _ if !self.up => (back, failed(Reason::NetRefused, false)),
            _ if self.dark => (request.deadline, failed(Reason::NetTimeout, true)),
            Some(What::Refused) => (back, failed(Reason::NetRefused, false)),
            Some(What::LostBefore) => (back, failed(Reason::NetClosed, true)),
            Some(What::Hangs) => (request.deadline, failed(Reason::NetTimeout, true)),
            Some(What::Status(status, retry_after_ms)) => {
                let body = json!({"statusCode": status}).to_string().into_bytes();
                let content_type = Some("application/json".into());
                (back, Response::Got(Head { status, retry_after_ms, content_type, ..Head::default() }, body))
            }
            Some(What::Body(status, content_type, body)) => {
                let content_type = Some(content_type.into());
                (back, Response::Got(Head { status, content_type, ..Head::default() }, body.into_bytes()))
            }
            Some(What::LostAfter) => {
                self.answer((&route, &channel, &target), request);
                (back, failed(Reason::NetClosed, true))
            }
            Some(What::Slow(ms)) => match self.answer((&route, &channel, &target), request) {
                Some((_, response)) => (back + ms, response),
                None => (back + ms, failed(Reason::NetClosed, true)),
            },
            None => match self.answer((&route, &channel, &target), request) {
                Some((wait, response)) => (back + wait, response),
                None => (back, failed(Reason::NetClosed, true)),
            },
        };
        let late = at > request.deadline;
        let (at, response) = if late { (request.deadline, failed(Reason::NetTimeout, true)) } else { (at, response) };
        if route == "post" {
            self.watch_answer(life, request, at, &response);
        }
        if route == "channels" && matches!(&response, Response::Got(Head { status: 200, .. }, _)) {
            self.listed(bearer);
        }
        self.out.push((at, Event::WorkerFree(life, worker)));
        if !self.planted_silence(&route) {
            self.out.push((at, Event::Relay(life, Happening::Answer(ticket, response))));
        }
    }

    /// What a list does not name is noted.
    fn listed(&mut self, bearer: &str) {
        let Some(agent) = self.model.tokens.get(bearer).map(|token| token.agent.clone()) else { return };
        for channel in self.model.channels.iter().filter(|(_, c)| !c.members.contains(&agent)).map(|(id, _)| id) {
            if !self.first_joins.keys().any(|(who, id, _)| *who == agent && id == channel) {
                self.not_listed.insert((agent.clone(), channel.clone()), self.now);
            }
        }
    }

    fn strike(&mut self, route: &str, channel: &str) -> Option<What> {
        let fits = |t: &Trouble| t.route == route && t.channel.as_deref().is_none_or(|c| c == channel);
        let at = self.trouble.iter().position(fits)?;
        let what = self.trouble[at].what.clone();
        self.trouble[at].times -= 1;
        if self.trouble[at].times == 0 {
            self.trouble.remove(at);
        }
        Some(what)
    }

    /// The model's answer and how much later than the network it comes; None when its answer is lost.
    fn answer(&mut self, (route, channel, target): (&str, &str, &str), request: &Request) -> Option<(u64, Response)> {
        let wall = self.wall();
        let method = if request.post { "POST" } else { "GET" };
        let (bearer, key) = (request.bearer.as_deref(), request.key.as_deref());
        let asked = model::Request { method, target, bearer, key, body: request.body.as_bytes() };
        let answer = self.model.http(&asked, wall);
        let again = if route == "post" && answer.status == 201 { self.planted_post(channel) } else { None };
        if let Some(other) = again {
            let target = &format!("/channels/{other}/messages");
            self.model.http(&model::Request { key: None, target, ..asked }, wall);
        }
        self.flush();
        let wait = match answer.delivery {
            Delivery::Now => 0,
            Delivery::AfterMs(ms) => ms,
            Delivery::Lost => return None,
        };
        let header = |name: &str| answer.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let date = header("date").and_then(|d| httpdate::parse_http_date(&d).ok());
        let date = date.and_then(|d| d.duration_since(std::time::UNIX_EPOCH).ok());
        let mut body = answer.body;
        let cut = body.len() > request.sink_bytes;
        let first_id = (cut && request.finds_id).then(|| first_id(&body)).flatten();
        body.truncate(request.sink_bytes);
        let head = Head {
            status: answer.status,
            cut,
            first_id,
            content_type: header("content-type"),
            retry_after_ms: header("retry-after").and_then(|s| s.parse::<u64>().ok()).map(|s| s.saturating_mul(1000)),
            date_ms: date.and_then(|d| u64::try_from(d.as_millis()).ok()),
            replayed: header("idempotent-replayed").is_some(),
        };
        Some((wait, Response::Got(head, body)))
    }
}

fn first_id(body: &[u8]) -> Option<String> {
    let rows: Value = serde_json::from_slice(body).ok()?;
    rows[0]["id"].as_str().map(Into::into)
}

/// Route, channel and path with query of a URL.
pub fn route_of(url: &str, post: bool) -> (String, String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = rest.find('/').map_or("/", |at| &rest[at..]);
    let path = target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let (route, channel) = match parts.as_slice() {
        ["auth", "token"] => ("mint", ""),
        ["channels"] => ("channels", ""),
        ["channels", id, "messages"] => (if post { "post" } else { "history" }, *id),
        ["attachments", _] => ("attachment", ""),
        _ => ("unknown", ""),
    };
    (route.into(), channel.into(), target.into())
}
