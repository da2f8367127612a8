//! TLS for both legs: one rustls configuration for each distinct set of roots, and what rustls' errors mean.
//! Certificates are always verified. A clock before the build date is taken as the build date.

use super::clip;
use super::clock::{self, BUILD_DATE, BUILD_MS, ClockState};
use crate::budget;
use crate::moment::{rfc3339, span};
use crate::reason::{Reason, Why};
use crate::settings::{Guild, Settings};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::SigningKey;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where distributions keep their bundle: Debian and OpenWrt, Fedora, SUSE, newer Fedora, Alpine.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What holds for connections to one guild.
#[derive(Debug)]
pub struct Rules {
    /// The guild's name.
    pub guild: String,
    /// Plain http and ws are allowed beyond loopback.
    pub plaintext: bool,
    extra: Option<Arc<ClientConfig>>,
}

impl Rules {
    /// The rules of every guild, in the order of the settings.
    ///
    /// # Errors
    /// One sentence for each `extra_ca` that cannot be used, a line each.
    pub fn of(settings: &Settings) -> Result<Vec<Arc<Self>>, String> {
        let mut by_path: Vec<(&Path, Arc<ClientConfig>)> = Vec::new();
        let mut faults = Vec::new();
        let mut rules = Vec::new();
        for guild in &settings.guilds {
            match extra(guild, &mut by_path) {
                Ok(extra) => {
                    rules.push(Arc::new(Self { guild: guild.name.clone(), plaintext: guild.plaintext, extra }));
                }
                Err(fault) => faults.push(format!("guild `{}`: {fault}", guild.name)),
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults.join("\n")) }
    }

    /// What holds for HTTP agents: the system's roots, plain http anywhere (they are on or near the board).
    #[must_use]
    pub fn of_agents() -> Arc<Self> {
        Arc::new(Self { guild: String::new(), plaintext: true, extra: None })
    }

    /// The configuration to connect with.
    #[must_use]
    pub fn tls(&self) -> Arc<ClientConfig> {
        self.extra.clone().unwrap_or_else(system)
    }
}

/// The configuration with the system's roots, or the bundled ones where there are none. Read once, when first needed.
#[must_use]
pub fn system() -> Arc<ClientConfig> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    SYSTEM.get_or_init(|| configure(system_roots())).clone()
}

/// The certificates of a PEM file, read one by one.
///
/// # Errors
/// A sentence: the file, what is wrong with it, what to do.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |what: String| format!("`extra_ca` {}: {what}; it must be a PEM file of certificates", path.display());
    let mut found = Vec::new();
    for certificate in certificates(path).map_err(|error| told(error.to_string()))? {
        found.push(certificate.map_err(&told)?);
    }
    if found.is_empty() { Err(told("holds no certificate".into())) } else { Ok(found) }
}

/// Whether every certificate of a PEM file can be a root.
///
/// # Errors
/// As [`read_certificates`]; or one of them is none of an authority.
pub fn check_roots(path: &Path) -> Result<(), String> {
    add_roots(&mut RootCertStore::empty(), path)
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    for certificate in read_certificates(path)? {
        if kept_bytes(roots) > budget::ROOTS_BYTES {
            let kib = budget::ROOTS_BYTES / 1024;
            return Err(format!(
                "`extra_ca` {}: with the system's there are more than {kib} KiB of authorities; give the few that are needed, or point SSL_CERT_FILE at fewer",
                path.display()
            ));
        }
        roots.add(certificate).map_err(|error| {
            let what = clip(&error.to_string());
            format!("`extra_ca` {}: {what}; it must hold certificates of authorities", path.display())
        })?;
    }
    Ok(())
}

/// What the authorities of a store come to: names, keys, and what holds them.
fn kept_bytes(roots: &RootCertStore) -> usize {
    let of = |root: &rustls::pki_types::TrustAnchor<'_>| {
        let constraints = root.name_constraints.as_ref().map_or(0, |constraints| constraints.len());
        size_of_val(root) + root.subject.len() + root.subject_public_key_info.len() + constraints
    };
    roots.roots.iter().map(of).sum()
}

/// What a failed handshake means.
#[must_use]
pub fn reason_of(error: &Error) -> Why {
    let reason = match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Reason::TlsExpired
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            Reason::TlsNotYet
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Reason::TlsName,
        // an authority of the right name with another key signs badly: a private one that was made again
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Reason::TlsUnknownCa
        }
        _ => Reason::TlsFailed,
    };
    let seen = match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
            let ago = span(time.as_secs().saturating_sub(not_after.as_secs()));
            format!("the certificate ended {}, {ago} ago", rfc3339(not_after.as_secs().saturating_mul(1000)))
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => {
            let wait = span(not_before.as_secs().saturating_sub(time.as_secs()));
            format!("the certificate begins {}, in {wait}", rfc3339(not_before.as_secs().saturating_mul(1000)))
        }
        other => clip(&other.to_string()),
    };
    Why::new(reason, format!("{seen}{}", clock_hint(clock::now().wall_ms)))
}

/// What an I/O error that came out of a TLS stream means, where rustls made it.
#[must_use]
pub fn reason_of_io(error: &std::io::Error) -> Option<Why> {
    error.get_ref()?.downcast_ref::<Error>().map(reason_of)
}

/// A sentence about a clock that is not set, or nothing.
fn clock_hint(wall_ms: u64) -> String {
    match ClockState::of(wall_ms) {
        ClockState::Set => String::new(),
        ClockState::BeforeBuild => {
            let wall = rfc3339(wall_ms);
            format!("; the board's clock says {wall}, before this program was built ({BUILD_DATE}): set the clock")
        }
    }
}

fn extra<'a>(
    guild: &'a Guild,
    by_path: &mut Vec<(&'a Path, Arc<ClientConfig>)>,
) -> Result<Option<Arc<ClientConfig>>, String> {
    let Some(path) = guild.extra_ca.as_deref() else { return Ok(None) };
    if let Some((_, known)) = by_path.iter().find(|(known, _)| *known == path) {
        return Ok(Some(known.clone()));
    }
    let mut roots = system_roots();
    add_roots(&mut roots, path)?;
    let config = configure(roots);
    by_path.push((path, config.clone()));
    Ok(Some(config))
}

fn configure(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(CryptoProvider { key_provider: &NoKeys, ..rustls::crypto::ring::default_provider() });
    let built =
        ClientConfig::builder_with_details(provider, Arc::new(FlooredClock)).with_safe_default_protocol_versions();
    // ring offers what TLS 1.2 and 1.3 need: this cannot fail, and without TLS nothing here could go on
    let builder = match built {
        Ok(builder) => builder,
        Err(error) => unreachable!("the ring provider lacks a protocol version: {error}"),
    };
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(budget::TLS_SESSIONS);
    Arc::new(config)
}

/// No certificate of ours is shown to anyone, so no key is read, and what would sign with it is not in the binary.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("this program shows no certificate of its own".into()))
    }
}

fn system_roots() -> RootCertStore {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let places = named.iter().map(PathBuf::as_path).chain(BUNDLES.iter().map(Path::new));
    for path in places {
        let mut roots = RootCertStore::empty();
        // one certificate that rustls cannot read does not spoil the bundle
        for certificate in certificates(path).into_iter().flatten().flatten() {
            // what an `extra_ca` adds has room beside them
            if kept_bytes(&roots) > budget::ROOTS_BYTES * 15 / 16 {
                let (code, many) = (Reason::HostMemory, roots.len());
                log::warn!("TLS: {code}: {}: the first {many} authorities are taken, no more", path.display());
                break;
            }
            let _ = roots.add(certificate);
        }
        if !roots.is_empty() {
            log::info!("TLS: {} roots from {}", roots.len(), path.display());
            return roots;
        }
        if named.as_deref() == Some(path) {
            log::warn!(
                "TLS: {}: SSL_CERT_FILE={} holds no certificate; looking elsewhere",
                Reason::CfgFault,
                path.display()
            );
        }
    }
    built_in_roots()
}

#[cfg(feature = "roots")]
fn built_in_roots() -> RootCertStore {
    log::info!("TLS: no bundle of roots on this system, using the {} built in", webpki_roots::TLS_SERVER_ROOTS.len());
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

#[cfg(not(feature = "roots"))]
fn built_in_roots() -> RootCertStore {
    log::warn!(
        "TLS: {}: no bundle of roots on this system, and this build has none: install ca-certificates (OpenWrt: ca-bundle), \
         or name one in SSL_CERT_FILE",
        Reason::TlsUnknownCa
    );
    RootCertStore::empty()
}

type Certificate = Result<CertificateDer<'static>, String>;

fn certificates(path: &Path) -> std::io::Result<impl Iterator<Item = Certificate> + use<>> {
    let file = File::open(path)?.take(budget::CA_BYTES);
    Ok(CertificateDer::pem_reader_iter(BufReader::new(file))
        .map(|found| found.map_err(|error| clip(&error.to_string())))
        .take(budget::CA_CERTIFICATES))
}

/// The wall clock, never before the build date: no certificate that was already over then is taken.
#[derive(Debug)]
struct FlooredClock;

impl TimeProvider for FlooredClock {
    fn current_time(&self) -> Option<UnixTime> {
        let wall_ms = clock::now().wall_ms.max(BUILD_MS);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(wall_ms)))
    }
}
