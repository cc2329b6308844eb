//! A client that can also say what no good client would.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};
use skms_crypto::options::EcdsaEncoding;
use skms_crypto::{Algorithm, Format, KeyMaterial, Message, OpenKey, SignOptions};
use skms_pki::issue::{NameBuf, Request, SigningScheme};

pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The kind of problem, without its prefix.
    pub fn problem(&self) -> String {
        assert!(self.status >= 400, "{} {}", self.status, self.json());
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        kind.rsplit(':').next().unwrap().to_owned()
    }

    pub fn ok(self) -> Self {
        assert!(self.status < 300, "{} {}", self.status, self.json());
        self
    }
}

/// One request over plain HTTP.
pub fn exchange(method: &str, url: &str, kind: &str, body: &[u8]) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).unwrap();
    let end = whole
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&whole[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: whole[end + 4..].to_vec(),
    }
}

pub struct Key {
    open: OpenKey,
    pub material: KeyMaterial,
}

impl Key {
    pub fn new() -> Self {
        let material = KeyMaterial::generate(Algorithm::EcP256).unwrap();
        let open = OpenKey::open(&material).unwrap();
        Self { open, material }
    }

    pub fn jwk(&self) -> Value {
        let text = self.open.public_key().unwrap().export(Format::Jwk).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub fn private_jwk(&self) -> Value {
        let text = self.material.export(Format::Jwk, None).unwrap();
        serde_json::from_slice(text.expose()).unwrap()
    }

    pub fn thumbprint(&self) -> String {
        let spki = self.open.public_key().unwrap().spki_der().to_vec();
        let key = skms_pki::acme::AccountKey::from_spki(&spki).unwrap();
        key.thumbprint().to_owned()
    }

    /// A JWS with this header over this payload.
    pub fn jws(&self, header: &Value, payload: &str) -> Value {
        let protected = B64.encode(header.to_string());
        let payload = B64.encode(payload);
        let options = SignOptions {
            encoding: EcdsaEncoding::P1363,
            ..SignOptions::default()
        };
        let input = format!("{protected}.{payload}");
        let signature = self
            .open
            .sign(Message::Raw(input.as_bytes()), &options)
            .unwrap();
        json!({"protected": protected, "payload": payload, "signature": B64.encode(signature)})
    }

    /// A certification request (base64url).
    pub fn csr(&self, names: &[&str]) -> String {
        let spki = self.open.public_key().unwrap().spki_der().to_vec();
        let mut request = Request::new(NameBuf::empty(), spki);
        request.names = names.iter().map(|name| name.parse().unwrap()).collect();
        let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
        let unsigned = request.to_csr(scheme).unwrap();
        let signature = self
            .open
            .sign(Message::Raw(unsigned.tbs()), &scheme.sign_options())
            .unwrap();
        B64.encode(unsigned.signed(&signature).unwrap())
    }
}

pub struct Client {
    pub base: String,
    pub key: Key,
    pub kid: Option<String>,
}

impl Client {
    pub fn new(directory: &str) -> Self {
        Self {
            base: directory.strip_suffix("/directory").unwrap().to_owned(),
            key: Key::new(),
            kid: None,
        }
    }

    /// One with an account.
    pub fn registered(directory: &str) -> Self {
        let mut client = Self::new(directory);
        let made = client.post("new-account", &json!({})).ok();
        assert_eq!(made.status, 201);
        client.kid = Some(made.headers["location"].clone());
        client
    }

    pub fn url(&self, path: &str) -> String {
        match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}/{path}", self.base),
        }
    }

    pub fn nonce(&self) -> String {
        let answer = exchange("HEAD", &self.url("new-nonce"), "", b"");
        answer.headers["replay-nonce"].clone()
    }

    /// The header of a good request.
    pub fn header(&self, path: &str) -> Value {
        let mut header = json!({"alg": "ES256", "nonce": self.nonce(), "url": self.url(path)});
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => header["jwk"] = self.key.jwk(),
        }
        header
    }

    pub fn send(&self, path: &str, jws: &Value) -> Answer {
        let body = jws.to_string();
        let kind = "application/jose+json";
        exchange("POST", &self.url(path), kind, body.as_bytes())
    }

    pub fn post(&self, path: &str, payload: &Value) -> Answer {
        let jws = self.key.jws(&self.header(path), &payload.to_string());
        self.send(path, &jws)
    }

    /// POST-as-GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send(path, &self.key.jws(&self.header(path), ""))
    }

    /// A new order: its address, and it.
    pub fn order(&self, names: &[&str]) -> (String, Value) {
        let identifiers: Vec<Value> = names
            .iter()
            .map(|name| json!({"type": "dns", "value": name}))
            .collect();
        let answer = self
            .post("new-order", &json!({"identifiers": identifiers}))
            .ok();
        (answer.headers["location"].clone(), answer.json())
    }

    /// The challenge of that kind of an order's first authorization.
    pub fn challenge(&self, order: &Value, kind: &str) -> Value {
        let authorization = order["authorizations"][0].as_str().unwrap();
        let all = self.get(authorization).ok().json();
        let found = all["challenges"].as_array().unwrap().iter();
        let mut found = found.filter(|one| one["type"] == kind);
        found.next().unwrap_or_else(|| panic!("{all}")).clone()
    }

    /// Says that a challenge is answered, and waits for what comes of it.
    pub fn respond(&self, challenge: &Value, order: &str) -> Value {
        self.post(challenge["url"].as_str().unwrap(), &json!({}))
            .ok();
        loop {
            let now = self.get(order).ok().json();
            if now["status"] != "pending" {
                return now;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The value of a dns-01 record.
    pub fn record(&self, challenge: &Value) -> String {
        let token = challenge["token"].as_str().unwrap();
        let text = format!("{token}.{}", self.key.thumbprint());
        B64.encode(skms_crypto::hash::sha256(&[text.as_bytes()]))
    }
}
