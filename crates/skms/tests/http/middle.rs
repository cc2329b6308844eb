//! Somebody in the middle, whom TLS trusts.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use rustls::{
    ClientConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value;

use crate::{
    house::Server,
    wire::{Answer, Connection},
};

/// Ends TLS in the middle, and does with messages what it likes.
pub struct Middle {
    pub address: SocketAddr,
    pub authority: String,
    pub seen: Arc<Mutex<Vec<u8>>>,
}

pub type Change = dyn Fn(&str, bool, Value) -> Value + Send + Sync;

/// What stands behind the one in the middle: a path and a body, answered.
pub type Answerer = dyn FnMut(&str, &Value) -> Answer;

impl Middle {
    /// `change` gets the path, whether it is the answer, and the body.
    pub fn new(server: &Server, change: Box<Change>) -> Self {
        let (upstream, tls) = (server.address, server.tls.clone().unwrap());
        Self::over(upstream, tls, change)
    }

    /// As [`Middle::new`], known to the server as it likes.
    pub fn over(upstream: SocketAddr, tls: Arc<ClientConfig>, change: Box<Change>) -> Self {
        Self::before(change, move || {
            let mut server = Connection::open(upstream, Some(&tls)).unwrap();
            Box::new(move |path, body| server.ask("", "POST", path, Some(body), &[]))
        })
    }

    /// As [`Middle::new`], with whatever answers instead of the server, on each
    /// connection.
    pub fn before(
        change: Box<Change>,
        answerer: impl Fn() -> Box<Answerer> + Send + Sync + 'static,
    ) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (config, kept) = (Arc::new(config), Arc::clone(&seen));
        let change: Arc<Change> = Arc::from(change);
        let answerer = Arc::new(answerer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, answerer) = (Arc::clone(&config), Arc::clone(&answerer));
                let (kept, change) = (Arc::clone(&kept), Arc::clone(&change));
                thread::spawn(move || {
                    let session = rustls::ServerConnection::new(config).unwrap();
                    let mut client = rustls::StreamOwned::new(session, stream);
                    let mut server = answerer();
                    while pass(&mut client, &mut *server, &kept, &*change).is_some() {}
                });
            }
        });
        Self {
            address,
            authority: own.pem(),
            seen,
        }
    }
}

/// Passes one request and its answer on.
fn pass(
    client: &mut rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
    server: &mut Answerer,
    seen: &Mutex<Vec<u8>>,
    change: &Change,
) -> Option<()> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap().to_ascii_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let length = head.split("content-length: ").nth(1)?;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    seen.lock().unwrap().extend(&body);
    let body = change(&path, false, serde_json::from_slice(&body).unwrap());
    let answer = server(&path, &body);
    let body = match answer.status {
        200 => serde_json::to_vec(&change(&path, true, answer.json())).unwrap(),
        _ => answer.text().into_bytes(),
    };
    seen.lock().unwrap().extend(&body);
    let kind = answer.header("content-type").unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        answer.status,
        body.len()
    );
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(&body).ok()?;
    client.flush().ok()
}
