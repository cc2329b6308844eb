//! From a request to whoever signed it and what they sent (RFC 8555, section
//! 6).

use std::net::SocketAddr;

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
};
use http::{HeaderMap, header, request::Parts, uri::Authority};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use skms_engine::acts::acme::{Binding, Entrant, Signed, SignedBy};
use skms_pki::acme::{AccountKey, SignatureAlgorithm};
use skms_wire::acme::{Header, Jws, NewAccount, ProblemKind, Signer};

use super::error::Failure;
use super::path::Addresses;
use super::{Acme, Context};

/// The longest request, in bytes: room for certification requests with the
/// longest keys, twice in base64.
const BODY_MAX: usize = 128 * 1024;

/// A request that was signed, and by whom.
pub struct Request {
    pub entrant: Entrant,
    pub payload: Vec<u8>,
    /// The address that it was sent to.
    pub url: String,
}

/// Which keys may sign a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Account,
    Key,
    Either,
}

impl Request {
    /// What was sent.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        payload(&self.payload)
    }

    /// Makes sure that it only reads: POST-as-GET (section 6.3).
    pub fn is_get(&self) -> Result<(), Failure> {
        match self.payload.is_empty() {
            true => Ok(()),
            false => Err(Failure::malformed("POST-as-GET has an empty payload")),
        }
    }
}

fn payload<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::malformed(format!("payload: {error}")))
}

fn algorithm(header: &Header) -> Result<SignatureAlgorithm, Failure> {
    SignatureAlgorithm::by_name(&header.algorithm).ok_or_else(|| {
        let mut failure = Failure::new(
            ProblemKind::BadSignatureAlgorithm,
            "signatures are by ES256, ES384, EdDSA or RS256",
        );
        failure.problem.algorithms = SignatureAlgorithm::ALL
            .iter()
            .map(|one| one.name())
            .collect();
        failure
    })
}

fn account_key(jwk: &str) -> Result<AccountKey, Failure> {
    AccountKey::from_jwk(jwk.as_bytes())
        .map_err(|error| Failure::new(ProblemKind::BadPublicKey, error.to_string()))
}

/// Reads a signed request: its nonce is used up, its signature holds, and it
/// is for this address.
pub async fn signed(
    acme: &Acme,
    context: &Context<'_>,
    headers: &HeaderMap,
    body: &[u8],
    by: By,
) -> Result<Request, Failure> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if kind != Some("application/jose+json") {
        return Err(Failure::malformed("requests are application/jose+json").status(415));
    }
    let jws = Jws::parse(body).map_err(|error| Failure::malformed(error.to_string()))?;
    let algorithm = algorithm(&jws.header)?;
    // Before the nonce: a request for elsewhere uses nothing up.
    if jws.header.url.as_deref() != Some(&*context.url) {
        return Err(Failure::new(
            ProblemKind::Unauthorized,
            "the request was signed for another address than it was sent to",
        ));
    }
    let nonce = jws.header.nonce.as_deref().unwrap_or_default();
    if !acme.app.engine.acme_take_nonce(nonce)? {
        return Err(Failure::new(
            ProblemKind::BadNonce,
            "the nonce was not given out here, is too old or was used",
        ));
    }
    let by = match (&jws.header.signer, by) {
        (Signer::Jwk(jwk), By::Key | By::Either) => SignedBy::Key(account_key(jwk)?),
        (Signer::Kid(kid), By::Account | By::Either) => {
            let id = context.addresses.account_of(kid).ok_or_else(|| {
                Failure::new(
                    ProblemKind::AccountDoesNotExist,
                    "kid: no account of this authority",
                )
            })?;
            SignedBy::Account(id)
        }
        (Signer::Jwk(_), By::Account) => {
            return Err(Failure::malformed("sign with the account: kid, not jwk"));
        }
        (Signer::Kid(_), By::Key) => {
            return Err(Failure::malformed("sign with the key itself: jwk, not kid"));
        }
    };
    let signed = Signed {
        by,
        algorithm,
        input: &jws.signing_input,
        signature: &jws.signature,
        source: Some(context.peer.address.ip().to_canonical()),
        tls: context.peer.tls,
        request_id: &context.request_id,
    };
    let entrant = acme.app.engine.acme_enter(context.place, signed).await?;
    Ok(Request {
        entrant,
        payload: jws.payload,
        url: context.url.clone(),
    })
}

/// The inner message of an external account binding (section 7.3.4).
pub struct BindingMessage {
    jws: Jws,
    key_id: String,
    account_key: AccountKey,
}

impl BindingMessage {
    /// Reads it, if there is one.
    pub fn of(new: &NewAccount, url: &str) -> Result<Option<Self>, Failure> {
        let Some(sent) = &new.external_account_binding else {
            return Ok(None);
        };
        let bad = |why: &str| Failure::malformed(format!("externalAccountBinding: {why}"));
        let jws = Jws::parse(sent.to_string().as_bytes()).map_err(|why| bad(&why.to_string()))?;
        if jws.header.nonce.is_some() || jws.header.url.as_deref() != Some(url) {
            return Err(bad("it has the url of the request, and no nonce"));
        }
        let Signer::Kid(key_id) = jws.header.signer.clone() else {
            return Err(bad("it names its key by kid"));
        };
        let jwk = std::str::from_utf8(&jws.payload).map_err(|_| bad("its payload is a key"))?;
        let account_key = account_key(jwk)?;
        Ok(Some(Self {
            jws,
            key_id,
            account_key,
        }))
    }

    /// As the engine takes it.
    pub fn binding(&self) -> Binding<'_> {
        Binding {
            key_id: &self.key_id,
            algorithm: &self.jws.header.algorithm,
            input: &self.jws.signing_input,
            mac: &self.jws.signature,
            account_key: self.account_key.clone(),
        }
    }
}

/// The new key of a key change, which signed for the account (section 7.3.5).
pub fn key_change(
    request: &Request,
    addresses: &Addresses,
    account: skms_store::RecordId,
) -> Result<AccountKey, Failure> {
    let bad = |why: &str| Failure::malformed(format!("key change: {why}"));
    let inner = Jws::parse(&request.payload).map_err(|why| bad(&why.to_string()))?;
    let Signer::Jwk(jwk) = &inner.header.signer else {
        return Err(bad("the inner message carries the new key as jwk"));
    };
    let key = account_key(jwk)?;
    let algorithm = algorithm(&inner.header)?;
    if !key.verifies(algorithm, &inner.signing_input, &inner.signature) {
        return Err(bad("the inner signature does not hold"));
    }
    if inner.header.nonce.is_some() || inner.header.url.as_deref() != Some(&*request.url) {
        return Err(bad(
            "the inner message has the url of the outer, and no nonce",
        ));
    }
    let said: skms_wire::acme::KeyChange = payload(&inner.payload)?;
    if said.account != addresses.account(account) {
        return Err(bad("it is about another account"));
    }
    let old = account_key(&said.old_key.to_string())?;
    if old.thumbprint() != request.entrant.key().thumbprint() {
        return Err(bad("the old key is not the account's"));
    }
    Ok(key)
}

/// The body of a request, if it is short enough.
pub async fn read_body<B>(body: B, limit: std::time::Duration) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let read = Limited::new(body, BODY_MAX).collect();
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(_)) => Err(Failure::malformed("the request is too long or breaks off").status(413)),
        Err(_late) => Err(Failure::malformed("the request did not arrive in time").status(408)),
    }
}

/// By which names clients may call this server. Without that, somebody could
/// have a client sign for his own name and pass it on here.
#[derive(Clone, Debug)]
pub enum Called {
    /// By this origin alone.
    Origin(String),
    /// By these hosts, at any port.
    Hosts(Vec<String>),
}

impl Called {
    /// What the configuration says.
    pub fn by(url: Option<&str>, names: &[String], listen: &[SocketAddr]) -> Self {
        if let Some(url) = url {
            return Self::Origin(url.to_owned());
        }
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"]
            .map(str::to_owned)
            .to_vec();
        hosts.extend(names.iter().map(|name| name.to_ascii_lowercase()));
        hosts.extend(listen.iter().map(|address| address.ip().to_string()));
        Self::Hosts(hosts)
    }

    /// The origin that a request was sent to.
    pub fn origin(&self, parts: &Parts, tls: bool) -> Result<String, Failure> {
        let sent = match parts.uri.authority() {
            Some(authority) => authority.as_str().to_owned(),
            None => parts
                .headers
                .get(header::HOST)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
        };
        let scheme = if tls { "https" } else { "http" };
        let unknown = || {
            Failure::malformed(format!(
                "this server is not called {}: see acme.url in its configuration",
                sent.escape_debug()
            ))
            .status(421)
        };
        let known = match self {
            Self::Origin(origin) => origin.split_once("://").is_some_and(|(_, host)| {
                host.eq_ignore_ascii_case(&sent)
                    || sent
                        .strip_suffix(":443")
                        .is_some_and(|sent| host.eq_ignore_ascii_case(sent))
            }),
            Self::Hosts(hosts) => sent.parse::<Authority>().is_ok_and(|authority| {
                let host = authority
                    .host()
                    .trim_matches(['[', ']'])
                    .to_ascii_lowercase();
                !authority.as_str().contains('@') && hosts.contains(&host)
            }),
        };
        match (known, self) {
            (false, _) => Err(unknown()),
            (true, Self::Origin(origin)) => Ok(origin.clone()),
            (true, Self::Hosts(_)) => Ok(format!("{scheme}://{sent}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(called: &Called, host: &str) -> Option<String> {
        let request = http::Request::get("/acme/x").header("host", host).body(());
        let (parts, ()) = request.unwrap().into_parts();
        called.origin(&parts, true).ok()
    }

    #[test]
    fn only_known_names_are_answered_to() {
        let hosts = Called::by(None, &["acme.example".to_owned()], &[]);
        for good in [
            "localhost:8200",
            "127.0.0.1:1",
            "[::1]:8200",
            "ACME.example",
        ] {
            assert_eq!(origin(&hosts, good), Some(format!("https://{good}")));
        }
        for bad in [
            "evil.example",
            "",
            "acme.example@evil.example",
            "acme.example.evil:8200",
        ] {
            assert_eq!(origin(&hosts, bad), None, "{bad}");
        }
        let one = Called::by(Some("https://acme.example"), &[], &[]);
        assert_eq!(
            origin(&one, "acme.example:443").as_deref(),
            Some("https://acme.example")
        );
        assert_eq!(origin(&one, "localhost"), None);
        assert_eq!(origin(&one, "acme.example:8200"), None);
    }
}
