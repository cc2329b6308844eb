//! A web server that takes webhooks, and behaves as it is told.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value;

use crate::house::PATIENCE;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// With a redirect to this place.
    Redirect(String),
    /// Not at all.
    Hang,
    /// A byte now and then.
    Drip,
    /// With an end of the connection.
    Close,
    /// With a body without end.
    Endless,
    /// With what is no HTTP.
    Nonsense,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    came: mpsc::Receiver<Request>,
}

impl Receiver {
    /// Over plain HTTP.
    pub fn plain(answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::start(None, answer)
    }

    /// Over TLS, with a self-signed certificate for these names; its PEM.
    pub fn secure(names: &[&str]) -> (Self, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from(key))
            .unwrap();
        let receiver = Self::start(Some(Arc::new(config)), |_| Answer::Status(204));
        (receiver, made.cert.pem())
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, came) = mpsc::channel();
        let answers: Arc<Answers> = Arc::new(Mutex::new(Box::new(answer)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                let tls = tls.clone();
                thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    match tls {
                        None => serve(stream, &sender, &answers),
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(session, stream), &sender, &answers);
                        }
                    }
                });
            }
        });
        Self { address, came }
    }

    /// The next request.
    pub fn next(&self) -> Request {
        self.came.recv_timeout(PATIENCE).expect("nothing came")
    }

    /// The next request, if one comes soon.
    pub fn soon(&self, wait: Duration) -> Option<Request> {
        self.came.recv_timeout(wait).ok()
    }
}

type Answers = Mutex<Box<dyn FnMut(&Request) -> Answer + Send>>;

fn serve<S: Read + Write>(mut stream: S, sender: &mpsc::Sender<Request>, answers: &Answers) {
    let Some(request) = read(&mut stream) else {
        return;
    };
    let answer = (answers.lock().unwrap())(&request);
    let _ = sender.send(request);
    let _ = reply(&mut stream, &answer);
}

fn reply(stream: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let head = |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
    match answer {
        Answer::Status(status) => stream.write_all(head(*status).as_bytes())?,
        Answer::Redirect(to) => {
            let text = format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(text.as_bytes())?;
        }
        Answer::Hang => thread::sleep(Duration::from_secs(60)),
        Answer::Drip => {
            for byte in head(204).bytes().cycle() {
                stream.write_all(&[byte])?;
                stream.flush()?;
                thread::sleep(Duration::from_secs(1));
            }
        }
        Answer::Close => {}
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\n\r\n")?;
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        }
        Answer::Nonsense => stream.write_all(&[b'?'; 100_000])?,
    }
    stream.flush()
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")?
        .1
        .parse()
        .unwrap();
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => body.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
    Some(Request {
        path,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
