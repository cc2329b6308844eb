//! A server that is open to ACME, with a resolver of its own that knows where
//! the names of the tests are.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

use simple_dns::rdata::{A, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::support::Server;

/// TXT records by name.
type Texts = Arc<Mutex<HashMap<String, String>>>;

pub struct Stage {
    pub server: Server,
    pub texts: Texts,
    /// The resolver's address.
    pub resolver: String,
    pub http_port: u16,
    pub tls_port: u16,
}

impl Stage {
    /// An open authority `issuing`; `more` goes into the table `[acme]`.
    pub fn set(more: &str, options: &[&str]) -> Self {
        let (resolver, texts) = resolver();
        let (http_port, tls_port) = (free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("server.toml");
        let text = format!(
            "[acme]\nresolver = \"{resolver}\"\nhttp_port = {http_port}\ntls_port = {tls_port}\n\
             {more}\n"
        );
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let server = Server::start(&["--dev", "--config", &config], folder, "http");
        server.file("token", b"the-root-token-of-the-tests\n");
        for (name, parent) in [("root", None), ("issuing", Some("root"))] {
            let subject = format!("CN=Test {name}");
            let mut create = vec!["ca", "create", name, "--subject", &subject];
            create.extend(parent.iter().flat_map(|parent| ["--parent", parent]));
            create.extend(["--algorithm", "EC-P256"]);
            server.run(&create).ok();
            let pem = server.text(&["ca", "cert", name]);
            server.file(&format!("{name}.pem"), format!("{pem}\n").as_bytes());
        }
        server
            .run(&[&["acme", "enable", "issuing"], options].concat())
            .ok();
        Self {
            server,
            texts,
            resolver,
            http_port,
            tls_port,
        }
    }

    /// The directory's address.
    pub fn directory(&self) -> String {
        format!("{}/acme/root/issuing/directory", self.server.address)
    }
}

pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// Answers questions about names below example.org: they are at 127.0.0.1, but
/// for `inside.example.org`, which is in a private network.
fn resolver() -> (String, Texts) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let texts = Texts::default();
    let known = Arc::clone(&texts);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let asked = Packet::parse(&buffer[..length]).unwrap();
            let question = asked.questions[0].clone();
            let name = question.qname.to_string().to_ascii_lowercase();
            let mut answer = Packet::new_reply(asked.id());
            answer.set_flags(PacketFlag::RECURSION_AVAILABLE);
            let owner = Name::new(&name).unwrap().into_owned();
            let data = match question.qtype {
                QTYPE::TYPE(TYPE::A) if name.ends_with("example.org") => {
                    let inside = name == "inside.example.org";
                    let at: [u8; 4] = if inside {
                        [10, 0, 0, 1]
                    } else {
                        [127, 0, 0, 1]
                    };
                    let address = u32::from_be_bytes(at);
                    Some(RData::A(A { address }))
                }
                QTYPE::TYPE(TYPE::TXT) => known.lock().unwrap().get(&name).map(|text| {
                    let text = TXT::new().with_string(text).unwrap().into_owned();
                    RData::TXT(text)
                }),
                _ => None,
            };
            if !name.ends_with("example.org") {
                *answer.rcode_mut() = RCODE::NameError;
            }
            let record = data.map(|data| ResourceRecord::new(owner, CLASS::IN, 1, data));
            answer.answers.extend(record);
            answer.questions.push(question);
            let bytes = answer.build_bytes_vec().unwrap();
            socket.send_to(&bytes, from).unwrap();
        }
    });
    (address, texts)
}
