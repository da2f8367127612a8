//! From a URL to an open WebSocket: lookup and TCP, TLS, upgrade, each step under its own deadline.

use super::super::dns::Dns;
use super::super::http::USER_AGENT;
use super::super::tls::{self, Rules};
use super::super::{clip, clock, tcp};
use super::metered::{Carrier, Metered};
use super::{Socket, why};
use crate::budget;
use crate::port::Lost;
use crate::reason::{Reason, Why};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::http::{HeaderValue, Uri, header};
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use rustls::pki_types::ServerName;
use smol::Async;
use std::cell::Cell;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

/// What is dialled.
pub(super) struct Dial {
    pub(super) url: String,
    pub(super) rules: Arc<Rules>,
    pub(super) dns: Dns,
    pub(super) message_bytes: usize,
}

impl Dial {
    /// Every step, or why one failed.
    pub(super) async fn open(self) -> Result<Socket, Lost> {
        let (request, host, secure) = self.request()?;
        let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
        let target = tcp::Target { host: &host, port, loopback_only: !secure && !self.rules.plaintext };
        let deadline_ms = budget::DNS_MS + budget::TCP_MS + budget::STAGGER_MS * budget::ADDRESSES as u64;
        let stream = tcp::connect(&self.dns, &target, deadline_ms).await?;
        let carrier = if secure { self.handshake(&host, stream).await? } else { Carrier::Plain(stream) };
        self.upgrade(request, &host, carrier).await
    }

    fn request(&self) -> Result<(Request, String, bool), Why> {
        let wrong = |what: String| Why::new(Reason::CfgPath, format!("`{}`: {what}", clip(&self.url)));
        let uri: Uri = self.url.parse().map_err(|error| wrong(format!("{error}")))?;
        let secure = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(wrong("neither ws:// nor wss://".into())),
        };
        let host = uri.host().unwrap_or_default().to_owned();
        let mut request = uri.into_client_request().map_err(|error| wrong(error.to_string()))?;
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Ok((request, host, secure))
    }

    async fn handshake(&self, host: &str, stream: Async<TcpStream>) -> Result<Carrier, Why> {
        let told = |why: Why| Why::new(why.reason, format!("TLS with {}: {}", clip(host), why.detail));
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| told(Why::new(Reason::TlsName, "that is no host name")))?;
        let connector = futures_rustls::TlsConnector::from(self.rules.tls());
        let limit = |tls: &mut rustls::ClientConnection| tls.set_buffer_limit(Some(budget::TLS_SEND_BUFFER_BYTES));
        match clock::within(budget::TLS_MS, connector.connect_with(name, stream, limit)).await {
            Some(Ok(stream)) => Ok(Carrier::Tls(Box::new(stream))),
            Some(Err(error)) => Err(told(tls::reason_of_io(&error).unwrap_or_else(|| {
                Why::new(Reason::TlsFailed, format!("the handshake broke off: {}", clip(&error.to_string())))
            }))),
            None => {
                let text = format!("the handshake did not end within {} ms", budget::TLS_MS);
                Err(told(Why::new(Reason::NetTimeout, text)))
            }
        }
    }

    async fn upgrade(&self, request: Request, host: &str, carrier: Carrier) -> Result<Socket, Lost> {
        let message_bytes = self.message_bytes + budget::FRAME_ENVELOPE_BYTES;
        let config = WebSocketConfig::default()
            .read_buffer_size(budget::WEBSOCKET_BUFFER_BYTES)
            .write_buffer_size(budget::WEBSOCKET_BUFFER_BYTES)
            .max_write_buffer_size(budget::WEBSOCKET_WRITE_MAX_BYTES)
            .max_message_size(Some(message_bytes))
            .max_frame_size(Some(message_bytes))
            .accept_unmasked_frames(false);
        let heard = Rc::new(Cell::new(false));
        let begun = clock::now().at;
        let stream = Metered::new(carrier, heard.clone());
        let upgrade = async_tungstenite::client_async_with_config(request, stream, Some(config));
        let Some(answer) = clock::within(budget::UPGRADE_MS, upgrade).await else {
            let text = format!("upgrade at {}: no whole answer within {} ms", clip(host), budget::UPGRADE_MS);
            return Err(Why::new(Reason::NetTimeout, text).into());
        };
        let (mut socket, answer) = answer.map_err(|error| {
            let silent_ms = (!heard.get()).then(|| clock::now().at.since_ms(begun));
            why::of_upgrade(error, host, silent_ms)
        })?;
        // RFC 6455, section 4.1: an extension that was not offered fails the connection; tungstenite lets it pass
        if let Some(extension) = answer.headers().get(header::SEC_WEBSOCKET_EXTENSIONS) {
            let text =
                format!("upgrade at {}: extension {} was not asked for", clip(host), clip(&format!("{extension:?}")));
            return Err(Why::new(Reason::NetProtocol, text).into());
        }
        socket.get_mut().upgraded(message_bytes);
        Ok(socket)
    }
}
