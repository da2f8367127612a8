//! What to do about a reason: the command or the setting that mends it.

use super::Step;
use crate::reason::Reason;
use crate::settings::{Agent, Guild};

/// In a sentence that names this agent's and this guild's own fields; `step` tells which of its two addresses is meant.
#[must_use]
pub fn advice(reason: Reason, step: Step, agent: &Agent, guild: &Guild) -> String {
    let (name, at) = (&agent.name, &guild.name);
    if step == Step::Daemon {
        return format!(
            "the walk found nothing wrong, so it was mended since: `guild-bridge reload` has the daemon read keys and \
             settings again, `guild-bridge restart {name}` reconnects its links"
        );
    }
    let host = if step == Step::Mint { &guild.center } else { &guild.url };
    let field = match step {
        Step::Mint if guild.dialect.has_places() => format!("guilds.{at}.center"),
        // both hosts are looked at, and the line says which
        Step::Name | Step::Tcp | Step::Tls if guild.center != guild.url => format!("guilds.{at}.url or .center"),
        _ => format!("guilds.{at}.url"),
    };
    let key = agent.key_file.display();
    let who = agent.login.as_ref().filter(|_| guild.dialect.signs_in()).unwrap_or(&agent.id);
    let whole = format!("correct guilds.{at}.url: the server's address alone, without a path");
    match reason {
        // all else stands where the server has it
        Reason::HttpStatus | Reason::HttpBody | Reason::CfgPath | Reason::CfgNamespace
            if !guild.dialect.has_places() =>
        {
            format!("{whole}; or look at the guild's log")
        }
        Reason::NetProtocol | Reason::CfgTransport if !guild.dialect.has_places() => {
            format!("{whole}; proxies before it must pass WebSockets")
        }
        Reason::NetDns => format!(
            "try `nslookup` with the host of {field}; look at /etc/resolv.conf and \
            the network"
        ),
        Reason::NetRefused => format!("correct host and port in {field}, or start the guild's server"),
        Reason::NetUnreachable => "look at `ip route`; bring the board's network up".to_owned(),
        Reason::NetTimeout => format!("look for a firewall between the board and {host}"),
        Reason::NetClosed => format!(
            "look at the guild's log; a proxy before {host} may cut connections off; where TLS is spoken there, {field} \
            begins with https://"
        ),
        Reason::NetSilent => "look for a proxy or firewall that lets connections starve; the daemon reconnects by \
            itself"
            .to_owned(),
        Reason::NetProtocol | Reason::CfgTransport => format!(
            "correct guilds.{at}.url and .paths.socket: it must lead to a Socket.IO server (v3 or later) with its \
                `websocket` transport on, past proxies that pass WebSockets"
        ),
        Reason::NetTooBig => "raise limits.message_bytes, or live with history bringing what it can".to_owned(),
        Reason::TlsExpired | Reason::TlsNotYet => "look at `date`; if the clock is right, the guild's certificate \
            has to be renewed"
            .to_owned(),
        Reason::TlsName => format!("use the host name in {field} that the certificate was made for"),
        Reason::TlsUnknownCa => format!(
            "for a private authority set guilds.{at}.extra_ca to its PEM file; else \
            install ca-certificates"
        ),
        Reason::TlsFailed => format!(
            "correct the port in {field}: does a TLS server listen there? http:// \
            beyond loopback needs \"plaintext\": true"
        ),
        Reason::HttpPortal => format!(
            "open {host} in a browser from the board's network: log in at the captive portal, \
            or correct {field}"
        ),
        Reason::HttpStatus | Reason::HttpBody => format!(
            "correct guilds.{at}.center, .url and .paths, or look at \
            the guild's log"
        ),
        Reason::AuthKeyRefused if guild.dialect.signs_in() => format!(
            "correct agents.{name}.login, or write its password into {key} anew, then `guild-bridge reload`; an account \
            that waits for an admin has to be accepted first"
        ),
        Reason::AuthConnectError | Reason::AuthDisconnected | Reason::AuthHttp401 | Reason::AuthExpired
            if guild.dialect.signs_in() =>
        {
            format!(
                "the guild refuses a token that it has just given {who}: has the account a role, and the permission to \
                 use channels? Are channels on there?"
            )
        }
        Reason::AuthKeyRefused => format!(
            "correct agents.{name}.id, or write the agent's key into {key} anew, then \
            `guild-bridge reload`; a wrong guilds.{at}.center can look the same"
        ),
        Reason::AuthConnectError | Reason::AuthDisconnected | Reason::AuthHttp401 | Reason::AuthExpired => format!(
            "the guild refuses a token that it has just minted: do guilds.{at}.center and .url belong together? Is \
                the agent `{}` a member there?",
            agent.id
        ),
        Reason::AuthDeniedChannel => format!("make the agent `{who}` a member of the channel in the guild"),
        Reason::AuthCachedToken => format!("turn off the cache between the board and {}", guild.center),
        Reason::DeafHistory => "the guild stores messages that it does not send: look at its log; the daemon \
            answers from history meanwhile"
            .to_owned(),
        Reason::CfgPath => format!("correct guilds.{at}.url and .paths.socket (`/socket.io/` by default)"),
        Reason::CfgNamespace => format!("correct guilds.{at}.namespace (now `{}`)", guild.namespace),
        Reason::CfgKeyFile => format!(
            "write the agent's key into {key}, for the daemon's user alone: chmod 600 \
            {key}"
        ),
        Reason::RateLimited => "wait as long as the guild asks; ask for fewer connections meanwhile".to_owned(),
        Reason::ClockUnset => "set the clock: `date -s`, or let NTP do it (`timedatectl set-ntp true`; OpenWrt: \
            `/etc/init.d/sysntpd restart`)"
            .to_owned(),
        Reason::GuildRestarting => "wait: the daemon tries again by itself; if it lasts, look at the guild's \
            log"
        .to_owned(),
        Reason::GuildRefusedPost => "look at `guild-bridge letters`".to_owned(),
        Reason::AgentMissing => format!(
            "correct agents.{name}.answer: its program, socket or URL; is the agent \
            running?"
        ),
        Reason::AgentTimeout => format!(
            "look at the agent's own log; raise agents.{name}.deadline_s if it needs \
            longer"
        ),
        Reason::AgentFailed | Reason::AgentGarbled | Reason::AgentGone => {
            format!("run the agent by hand as agents.{name}.answer says, and read what it writes to standard error")
        }
        Reason::AgentBusy => format!("wait, or raise agents.{name}.parallel where the agent can take more at once"),
        Reason::CfgFault => "guild-bridge check names the place and what to write there".to_owned(),
        Reason::AgentDenied => "name the user that connects in the agent's `uids`".to_owned(),
        Reason::DiskDamaged => "look at what was set aside in the state directory, then remove it".to_owned(),
        Reason::HostShort => {
            "raise the service's limits (LimitNOFILE=, TasksMax=), or end what uses them up".to_owned()
        }
        Reason::HostMemory => "guild-bridge budget says what the heap may hold, and for what".to_owned(),
        Reason::HostPage => "give `page` a free address, and the daemon's user the folder of `metrics_file`".to_owned(),
        Reason::DiskFailed => "make the state directory writable for the daemon's user".to_owned(),
        Reason::ControlRequest => "start the daemon, or name its socket with --socket".to_owned(),
        Reason::Asked => "nothing: somebody asked for it".to_owned(),
    }
}
