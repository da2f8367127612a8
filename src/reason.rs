//! Why a link, an agent or a post is not where it should be: the stable codes that people and scripts read.
//! The list is this enum; the README's table is checked against it.

/// A stable code, `class.detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The name did not resolve, or the resolver did not answer in time.
    NetDns,
    /// Nobody listens there.
    NetRefused,
    /// No route to the host or network.
    NetUnreachable,
    /// A step took longer than its deadline.
    NetTimeout,
    /// The other side ended the connection.
    NetClosed,
    /// No ping within pingInterval + pingTimeout.
    NetSilent,
    /// What arrived is not what the protocol allows.
    NetProtocol,
    /// A frame larger than the daemon takes.
    NetTooBig,
    /// The server's certificate has expired.
    TlsExpired,
    /// The server's certificate is not valid yet.
    TlsNotYet,
    /// The certificate is for another name.
    TlsName,
    /// The certificate's authority is not among the roots.
    TlsUnknownCa,
    /// Any other TLS failure.
    TlsFailed,
    /// A page where JSON was due: something stands in between.
    HttpPortal,
    /// A status that no other code covers.
    HttpStatus,
    /// A body that could not be read as what was due.
    HttpBody,
    /// The mint refuses the agent or its key: with 401 or 403, or as its dialect says.
    AuthKeyRefused,
    /// CONNECT_ERROR to a fresh token.
    AuthConnectError,
    /// `41`, or a close soon after CONNECT.
    AuthDisconnected,
    /// An HTTP call was answered 401 with a fresh token.
    AuthHttp401,
    /// The guild denied the join of a channel.
    AuthDeniedChannel,
    /// The guild ended the session as its token ended.
    AuthExpired,
    /// The mint handed out a token that was offered before.
    AuthCachedToken,
    /// History shows messages that the socket did not bring.
    DeafHistory,
    /// The path does not lead to a Socket.IO server.
    CfgPath,
    /// The namespace does not exist there.
    CfgNamespace,
    /// The server does not speak WebSocket, or not Engine.IO v4.
    CfgTransport,
    /// The agent's key file cannot be used.
    CfgKeyFile,
    /// The configuration, the environment or a file's bits ask for what cannot be, or should not.
    CfgFault,
    /// 429, or 503 with Retry-After.
    RateLimited,
    /// The board's clock is before this program's build date.
    ClockUnset,
    /// The guild went away as a restarting server does.
    GuildRestarting,
    /// The guild refused a post for good.
    GuildRefusedPost,
    /// The agent is not there: not started, not connected, not listening.
    AgentMissing,
    /// The agent did not answer within its deadline.
    AgentTimeout,
    /// The agent ended with an error, or said so.
    AgentFailed,
    /// The agent asked for time.
    AgentBusy,
    /// What the agent wrote could not be read.
    AgentGarbled,
    /// Somebody on an agents' socket may not be there, or says what it cannot.
    AgentDenied,
    /// The agent's program or connection ended.
    AgentGone,
    /// The daemon's state directory cannot be written.
    DiskFailed,
    /// The journal is not as it was written.
    DiskDamaged,
    /// The board has no room for another thread, file or connection.
    HostShort,
    /// The heap came near its budget.
    HostMemory,
    /// The page or the metrics' file is not to be had where the configuration wants it.
    HostPage,
    /// What was asked on the control socket cannot be taken.
    ControlRequest,
    /// Somebody asked for it: restart, reload, end.
    Asked,
}

impl Reason {
    /// Every reason, in the order of the README's table.
    pub const ALL: &'static [Reason] = &[
        Reason::NetDns,
        Reason::NetRefused,
        Reason::NetUnreachable,
        Reason::NetTimeout,
        Reason::NetClosed,
        Reason::NetSilent,
        Reason::NetProtocol,
        Reason::NetTooBig,
        Reason::TlsExpired,
        Reason::TlsNotYet,
        Reason::TlsName,
        Reason::TlsUnknownCa,
        Reason::TlsFailed,
        Reason::HttpPortal,
        Reason::HttpStatus,
        Reason::HttpBody,
        Reason::AuthKeyRefused,
        Reason::AuthConnectError,
        Reason::AuthDisconnected,
        Reason::AuthHttp401,
        Reason::AuthDeniedChannel,
        Reason::AuthExpired,
        Reason::AuthCachedToken,
        Reason::DeafHistory,
        Reason::CfgPath,
        Reason::CfgNamespace,
        Reason::CfgTransport,
        Reason::CfgKeyFile,
        Reason::CfgFault,
        Reason::RateLimited,
        Reason::ClockUnset,
        Reason::GuildRestarting,
        Reason::GuildRefusedPost,
        Reason::AgentMissing,
        Reason::AgentTimeout,
        Reason::AgentFailed,
        Reason::AgentBusy,
        Reason::AgentGarbled,
        Reason::AgentDenied,
        Reason::AgentGone,
        Reason::DiskFailed,
        Reason::DiskDamaged,
        Reason::HostShort,
        Reason::HostMemory,
        Reason::HostPage,
        Reason::ControlRequest,
        Reason::Asked,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.words().0
    }

    /// What it means, in a sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NetDns => ("net.dns", "the host's name does not resolve; check the URL and the board's DNS"),
            Self::NetRefused => ("net.refused", "nobody listens at that address and port"),
            Self::NetUnreachable => ("net.unreachable", "there is no route to the host; check the board's network"),
            Self::NetTimeout => ("net.timeout", "the other side did not answer in time"),
            Self::NetClosed => ("net.closed", "the other side ended the connection"),
            Self::NetSilent => ("net.silent", "no ping arrived in the time the guild promised; the path is dead"),
            Self::NetProtocol => ("net.protocol", "what arrived is not WebSocket, Engine.IO or Socket.IO as specified"),
            Self::NetTooBig => ("net.too_big", "a frame was larger than the daemon takes; history brings what it can"),
            Self::TlsExpired => ("tls.expired", "the server's certificate has expired, or the board's clock is ahead"),
            Self::TlsNotYet => ("tls.not_yet", "the server's certificate is not valid yet; check the board's clock"),
            Self::TlsName => ("tls.name", "the server's certificate is for another name"),
            Self::TlsUnknownCa => {
                ("tls.unknown_ca", "the certificate's authority is unknown; set `extra_ca` for a private one")
            }
            Self::TlsFailed => ("tls.failed", "the TLS handshake failed"),
            Self::HttpPortal => {
                ("http.portal", "a web page came where JSON was due; a captive portal or a proxy answers")
            }
            Self::HttpStatus => ("http.status", "the server answered with a status that does not fit"),
            Self::HttpBody => ("http.body", "the answer's body could not be read as what was due"),
            Self::AuthKeyRefused => {
                ("auth.key_refused", "the guild refuses who this agent says it is, or its key or password")
            }
            Self::AuthConnectError => (
                "auth.connect_error",
                "the guild refused the connection with a fresh token, or took it and does not know the token",
            ),
            Self::AuthDisconnected => ("auth.disconnected", "the guild accepted the connection and then ended it"),
            Self::AuthHttp401 => ("auth.http_401", "an HTTP call was refused with a fresh token"),
            Self::AuthDeniedChannel => ("auth.denied_channel", "the guild denied the join of a channel"),
            Self::AuthExpired => {
                ("auth.expired", "the guild ended the session as its token ended; a fresh one follows")
            }
            Self::AuthCachedToken => {
                ("auth.cached_token", "the mint handed out a token that was offered before; a cache stands in between")
            }
            Self::DeafHistory => ("deaf.history", "history shows messages that the socket did not bring"),
            Self::CfgPath => ("cfg.path", "no Socket.IO server answers at this path; check `url` and `paths.socket`"),
            Self::CfgNamespace => ("cfg.namespace", "the guild has no such namespace; check `namespace`"),
            Self::CfgTransport => ("cfg.transport", "the server offers no WebSocket transport of Engine.IO v4"),
            Self::CfgKeyFile => ("cfg.key_file", "the agent's key file cannot be used"),
            Self::CfgFault => (
                "cfg.fault",
                "the configuration or the environment asks for what cannot be, or should not; the line says where",
            ),
            Self::RateLimited => ("rate.limited", "the guild asked to wait"),
            Self::ClockUnset => ("clock.unset", "the board's clock is before this program's build date; it is not set"),
            Self::GuildRestarting => ("guild.restarting", "the guild went away as a restarting server does"),
            Self::GuildRefusedPost => ("guild.refused_post", "the guild refused a reply for good"),
            Self::AgentMissing => ("agent.missing", "the agent is not there; its messages wait"),
            Self::AgentTimeout => ("agent.timeout", "the agent did not answer within its deadline"),
            Self::AgentFailed => ("agent.failed", "the agent failed at its turn"),
            Self::AgentBusy => ("agent.busy", "the agent asked for time"),
            Self::AgentGarbled => ("agent.garbled", "what the agent wrote could not be read"),
            Self::AgentDenied => ("agent.denied", "somebody was sent away from an agents' socket; see `uids`"),
            Self::AgentGone => ("agent.gone", "the agent's program or connection ended"),
            Self::DiskFailed => {
                ("disk.failed", "the state directory cannot be written; cursors and replies live in memory only")
            }
            Self::DiskDamaged => (
                "disk.damaged",
                "the journal is not as it was written; what is set aside can be removed once you have looked",
            ),
            Self::HostShort => {
                ("host.short", "the board has no room for another thread, file or connection; it goes on with less")
            }
            Self::HostMemory => (
                "host.memory",
                "the heap came near its budget; messages that wait are let go until history brings them again",
            ),
            Self::HostPage => {
                ("host.page", "the page or the metrics' file cannot be had where the configuration wants it")
            }
            Self::ControlRequest => ("control.request", "what was asked on the control socket cannot be taken"),
            Self::Asked => ("asked", "somebody asked for it"),
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason with what was seen: safe to log and to show (peer text in it is clipped by whoever made it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The stable code.
    pub reason: Reason,
    /// What was seen, where; one line, at most a few hundred bytes, no secret.
    pub detail: String,
}

impl Why {
    /// A reason with its detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.detail)
    }
}
