//! Look-ups at one resolver (RFC 1035): a question by UDP, and by TCP where
//! the answer does not fit. The resolver follows aliases and is trusted as far
//! as the way to it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData,
};
use skms_crypto::rand;
use skms_engine::probe::ProbeError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::config::Reach;

/// The largest answer by UDP that is taken.
const UDP_MAX: usize = 4096;
/// Times that a question is sent before nobody is taken to answer.
const TRIES: u32 = 2;
/// The most aliases that are followed within an answer.
const ALIASES: usize = 8;

/// The addresses of a name.
///
/// # Errors
/// [`ProbeError::Dns`] if it has none.
pub async fn addresses(reach: &Reach, name: &str) -> Result<Vec<IpAddr>, ProbeError> {
    let (four, six) = tokio::join!(ask(reach, name, TYPE::A), ask(reach, name, TYPE::AAAA));
    let mut found = Vec::new();
    let mut failed = None;
    for answer in [six, four] {
        match answer {
            Ok(records) => found.extend(records.iter().filter_map(|record| match record {
                Found::Address(address) => Some(*address),
                Found::Text(_) => None,
            })),
            Err(error) => failed = Some(error),
        }
    }
    match (found.is_empty(), failed) {
        (false, _) => Ok(found),
        (true, Some(error)) => Err(error),
        (true, None) => Err(ProbeError::Dns(format!("{name}: it has no address"))),
    }
}

/// The texts of a name's TXT records, each in one piece.
///
/// # Errors
/// [`ProbeError::Dns`] if it has none.
pub async fn texts(reach: &Reach, name: &str) -> Result<Vec<Vec<u8>>, ProbeError> {
    let found: Vec<Vec<u8>> = ask(reach, name, TYPE::TXT)
        .await?
        .into_iter()
        .filter_map(|record| match record {
            Found::Text(text) => Some(text),
            Found::Address(_) => None,
        })
        .collect();
    if found.is_empty() {
        return Err(ProbeError::Dns(format!("{name}: it has no TXT record")));
    }
    Ok(found)
}

#[derive(Debug, PartialEq)]
enum Found {
    Address(IpAddr),
    Text(Vec<u8>),
}

async fn ask(reach: &Reach, name: &str, kind: TYPE) -> Result<Vec<Found>, ProbeError> {
    let failed = |why: &str| ProbeError::Dns(format!("{name}: {why}"));
    let id = rand::array::<2>()
        .map(u16::from_be_bytes)
        .map_err(|_| failed("no random number"))?;
    let qname = Name::new(name).map_err(|_| failed("it is no name"))?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        qname,
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    let question = packet
        .build_bytes_vec()
        .map_err(|_| failed("it cannot be asked for"))?;
    let resolver = reach.resolver.unwrap_or_else(system_resolver);
    let patience = reach.timeout / (TRIES + 1);
    let nobody = || failed("the resolver does not answer");
    for _ in 0..TRIES {
        let asked = tokio::time::timeout(patience, by_udp(resolver, &question, id)).await;
        let Ok(Ok(mut answer)) = asked else { continue };
        let cut = Packet::parse(&answer).is_ok_and(|read| read.has_flags(PacketFlag::TRUNCATION));
        if cut {
            answer = by_tcp(resolver, &question, patience)
                .await
                .ok_or_else(nobody)?;
        }
        return read(&answer, id, name, kind).map_err(failed);
    }
    Err(nobody())
}

/// An answer with the right number from the right address; others are passed
/// over, since anybody can send some.
async fn by_udp(resolver: SocketAddr, question: &[u8], id: u16) -> std::io::Result<Vec<u8>> {
    let any: IpAddr = match resolver {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(question).await?;
    let mut answer = vec![0; UDP_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        let got = answer.get(..length).unwrap_or_default();
        if got.get(..2) == Some(&id.to_be_bytes()[..]) {
            return Ok(got.to_vec());
        }
    }
}

async fn by_tcp(resolver: SocketAddr, question: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(resolver).await.ok()?;
        let length = u16::try_from(question.len()).ok()?;
        stream.write_all(&length.to_be_bytes()).await.ok()?;
        stream.write_all(question).await.ok()?;
        let length = stream.read_u16().await.ok()?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer)
    };
    tokio::time::timeout(patience, exchange)
        .await
        .ok()
        .flatten()
}

/// What an answer says about the name, aliases followed.
fn read(answer: &[u8], id: u16, name: &str, kind: TYPE) -> Result<Vec<Found>, &'static str> {
    let packet = Packet::parse(answer).map_err(|_| "the resolver's answer is malformed")?;
    let asked = Name::new(name).map_err(|_| "it is no name")?;
    let same =
        |one: &Name<'_>, other: &Name<'_>| one.to_string().eq_ignore_ascii_case(&other.to_string());
    let ours = matches!(packet.questions.as_slice(), [question]
        if question.qtype == QTYPE::TYPE(kind) && same(&question.qname, &asked));
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !ours {
        return Err("the resolver answers another question");
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Err("there is no such name"),
        _ => return Err("the resolver could not find out"),
    }
    let mut current = asked;
    for _ in 0..ALIASES {
        let alias = packet
            .answers
            .iter()
            .find_map(|record| match &record.rdata {
                RData::CNAME(to) if same(&record.name, &current) => Some(to.0.clone()),
                _ => None,
            });
        match alias {
            Some(to) => current = to,
            None => break,
        }
    }
    let mut found = Vec::new();
    for record in packet
        .answers
        .iter()
        .filter(|one| same(&one.name, &current))
    {
        match (&record.rdata, kind) {
            (RData::A(a), TYPE::A) => {
                found.push(Found::Address(Ipv4Addr::from(a.address).into()));
            }
            (RData::AAAA(a), TYPE::AAAA) => {
                found.push(Found::Address(Ipv6Addr::from(a.address).into()));
            }
            (RData::TXT(text), TYPE::TXT) => {
                if let Ok(text) = String::try_from(text.clone()) {
                    found.push(Found::Text(text.into_bytes()));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The first resolver that the system names, or one on this machine.
fn system_resolver() -> SocketAddr {
    let named = std::fs::read_to_string("/etc/resolv.conf").ok();
    let address = named
        .as_deref()
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .find_map(|rest| rest.trim().parse::<IpAddr>().ok());
    SocketAddr::new(address.unwrap_or(Ipv4Addr::LOCALHOST.into()), 53)
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::{ResourceRecord, rdata};

    fn answer(id: u16, name: &str, records: Vec<(&str, RData<'static>)>) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        let kind = QTYPE::TYPE(TYPE::A);
        let class = QCLASS::CLASS(CLASS::IN);
        packet
            .questions
            .push(Question::new(Name::new_unchecked(name), kind, class, false));
        for (owner, data) in records {
            let owner = Name::new_unchecked(owner).into_owned();
            packet
                .answers
                .push(ResourceRecord::new(owner, CLASS::IN, 1, data));
        }
        packet.build_bytes_vec().unwrap()
    }

    fn a(last: u8) -> RData<'static> {
        RData::A(rdata::A {
            address: u32::from_be_bytes([192, 0, 2, last]),
        })
    }

    #[test]
    fn aliases_are_followed_and_what_is_about_others_is_not_taken() {
        let alias = RData::CNAME(rdata::CNAME(Name::new_unchecked("b.example")));
        let bytes = answer(
            7,
            "a.example",
            vec![
                ("a.example", alias),
                ("b.example", a(1)),
                ("c.example", a(2)),
            ],
        );
        let found = read(&bytes, 7, "A.example", TYPE::A).unwrap();
        assert_eq!(found, [Found::Address("192.0.2.1".parse().unwrap())]);
        // Another number, another name, another kind.
        assert!(read(&bytes, 8, "a.example", TYPE::A).is_err());
        assert!(read(&bytes, 7, "b.example", TYPE::A).is_err());
        assert!(read(&bytes, 7, "a.example", TYPE::AAAA).is_err());
        assert!(read(&bytes[..20], 7, "a.example", TYPE::A).is_err());
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let to = |name| RData::CNAME(rdata::CNAME(Name::new_unchecked(name)));
        let bytes = answer(
            7,
            "a.example",
            vec![
                ("a.example", to("b.example")),
                ("b.example", to("a.example")),
            ],
        );
        assert_eq!(read(&bytes, 7, "a.example", TYPE::A), Ok(Vec::new()));
    }
}
