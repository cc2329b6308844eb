//! HTTP/1.1 by hand, so that tests can also speak it badly.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use skms_exchange::channel::Channel;

use crate::house::PATIENCE;

/// A client certificate, those above it that are shown with it, and its key,
/// PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// Trusts one authority and nothing else.
pub fn client_config(authority: &Path, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(authority).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(
                CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
                    .collect::<Result<_, _>>()
                    .unwrap(),
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    })
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection that requests can be written to in any form.
pub struct Connection(Box<dyn Stream>);

impl Connection {
    pub fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let Some(config) = tls else {
            return Ok(Self(Box::new(stream)));
        };
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
        let mut stream = stream;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Self(Box::new(StreamOwned::new(session, stream))))
    }

    /// As [`Connection::open`] over TLS, with what keys are bound to it by, and
    /// how the handshake went.
    pub fn bound(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        own: &Identity,
    ) -> (Self, Channel, HandshakeKind) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
        let own = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
        let shown = &session.peer_certificates().unwrap()[0];
        let channel = Channel::of(&own, shown, |label, context, out| {
            let exported = session.export_keying_material(out, label, Some(context));
            exported.map(|_| ())
        });
        let kind = session.handshake_kind().unwrap();
        let stream = Box::new(StreamOwned::new(session, stream));
        (Self(stream), channel.unwrap(), kind)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// A whole request and its answer; the connection stays open.
    pub fn ask(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = body.map(Value::to_string);
        let mut all = Vec::new();
        let bearer = format!("Bearer {token}");
        if !token.is_empty() {
            all.push(("Authorization", bearer.as_str()));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
            all.push(("Content-Type", "application/json"));
        }
        all.extend_from_slice(headers);
        self.send(method, path, body.as_deref().map(str::as_bytes), &all)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A request with exactly these headers, Host and Content-Length added.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        headers: &[(&str, &str)],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(body.unwrap_or_default());
        // A server that has heard enough answers before all is written.
        let written = self.write(&request);
        match self.answer() {
            Ok(answer) => Ok(answer),
            Err(error) => written.and(Err(error)),
        }
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            self.more(&mut bytes)?;
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status: u16 = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map_or(0, |(_, value)| value.parse().unwrap());
        let mut body = bytes.split_off(head_end + 4);
        while body.len() < length {
            self.more(&mut body)?;
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.0.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                into.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }

    /// Reads what is there next.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.more(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads until the server closes the connection; what came before.
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.more(&mut bytes).is_ok() {}
        bytes
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null for none.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The kind of problem, when it is one, with everything that every
    /// problem has to have.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let json = self.json();
        assert_eq!(json["status"], self.status, "{json}");
        assert_eq!(
            json["request_id"].as_str(),
            self.header("x-request-id"),
            "{json}"
        );
        assert!(
            json["title"].is_string() && json["instance"].is_string(),
            "{json}"
        );
        json["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:skms:problem:")
            .unwrap()
            .to_owned()
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
