//! What we issue is accepted by `openssl`, by GnuTLS's `certtool` and by
//! Python's `cryptography`, as far as they know the algorithms. A peer that is
//! missing is a visible skip.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "issue/folder.rs"]
mod folder;
#[path = "issue/support.rs"]
mod support;

use std::process::{Command, Stdio};

use folder::{Folder, have, said};
use skms_crypto::{Algorithm, Message, OpenKey};
use skms_pki::crl::Reason;
use skms_pki::issue::{
    Answer, CertIdBuf, CertIdHash, DAY, List, ListEntry, ProfileKind, Request, Responder, Serial,
    SigningScheme,
};
use skms_pki::ocsp::SingleStatus;
use skms_pki::{Certificate, Csr, Moment};
use support::{Ca, NOW, good_request, key, spki};

/// Whether this OpenSSL signs with an algorithm; a visible skip if not.
fn openssl_knows(algorithm: Algorithm) -> bool {
    let list = Command::new("openssl")
        .args(["list", "-public-key-algorithms"])
        .output()
        .unwrap();
    let known = !algorithm.row().post_quantum
        || said(&list)
            .to_ascii_uppercase()
            .contains(&algorithm.name().to_ascii_uppercase());
    if !known {
        eprintln!("SKIPPED: this openssl does not know {algorithm}");
    }
    known
}

fn sign(message: &[u8], scheme: SigningScheme, key: &OpenKey) -> Vec<u8> {
    key.sign(Message::Raw(message), &scheme.sign_options())
        .unwrap()
}

const KEYS: &[Algorithm] = &[
    Algorithm::EcP256,
    Algorithm::EcP384,
    Algorithm::EcP521,
    Algorithm::Rsa3072,
    Algorithm::Ed25519,
    Algorithm::MlDsa65,
    Algorithm::SlhDsaSha2_128f,
];

/// What openssl calls the purpose of a profile.
fn openssl_purpose(kind: ProfileKind) -> &'static str {
    match kind {
        ProfileKind::TlsServer | ProfileKind::TlsServerWeb | ProfileKind::TlsMutual => "sslserver",
        ProfileKind::TlsClient | ProfileKind::Principal => "sslclient",
        ProfileKind::SMime => "smimesign",
        ProfileKind::OcspSigner => "ocsphelper",
        ProfileKind::TimeStamping => "timestampsign",
        _ => "any",
    }
}

fn leaves() -> impl Iterator<Item = ProfileKind> {
    ProfileKind::all()
        .iter()
        .copied()
        .filter(|kind| !matches!(kind, ProfileKind::Root | ProfileKind::Intermediate))
}

#[test]
fn openssl_verifies_every_profile() {
    if !have("openssl") {
        return;
    }
    let at = NOW.0.to_string();
    for &algorithm in KEYS.iter().filter(|algorithm| openssl_knows(**algorithm)) {
        let folder = Folder::new();
        let ca = Ca::issuing(algorithm);
        let root = folder.pem("root.pem", "CERTIFICATE", &ca.authority.chain[1..]);
        let issuing = folder.pem("ca.pem", "CERTIFICATE", &ca.authority.chain[..1]);
        let web = algorithm.family() != skms_crypto::Family::EdDsa && !algorithm.row().post_quantum;
        for kind in leaves().filter(|kind| web || *kind != ProfileKind::TlsServerWeb) {
            let subject_key = if web { algorithm } else { Algorithm::EcP256 };
            let request = good_request(kind, spki(&key(subject_key)));
            let der = ca.issue(&kind.profile(), &request).unwrap();
            let leaf = folder.pem("leaf.pem", "CERTIFICATE", std::slice::from_ref(&der));
            let purpose = openssl_purpose(kind);
            let verify = [
                "verify",
                "-x509_strict",
                "-attime",
                &at,
                "-purpose",
                purpose,
            ];
            let chain = ["-CAfile", &root, "-untrusted", &issuing, &leaf];
            folder.run("openssl", &[&verify[..], &chain[..]].concat());
            let text = folder.run("openssl", &["x509", "-noout", "-text", "-in", &leaf]);
            assert!(text.contains("Version: 3"), "{text}");
            let file = folder.write("leaf.der", &der);
            let parsed = folder.run("openssl", &["asn1parse", "-inform", "DER", "-in", &file]);
            assert!(!parsed.to_ascii_lowercase().contains("error"), "{parsed}");
            // Without the authority, or at another time, it does not hold.
            folder.refuses(
                "openssl",
                &["verify", "-attime", &at, "-CAfile", &root, &leaf],
            );
            let never = ["verify", "-attime", "1000000000"];
            folder.refuses("openssl", &[&never[..], &chain[..]].concat());
        }
    }
}

#[test]
fn openssl_takes_our_lists() {
    if !have("openssl") {
        return;
    }
    let at = NOW.0.to_string();
    for &algorithm in KEYS.iter().filter(|algorithm| openssl_knows(**algorithm)) {
        let folder = Folder::new();
        let ca = Ca::root(algorithm);
        let root = folder.pem("root.pem", "CERTIFICATE", &ca.authority.chain);
        let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
        let profile = ProfileKind::TlsClient.profile();
        let [good, bad] = [0, 1].map(|_| ca.issue(&profile, &request).unwrap());
        let serial = Serial::from_contents(Certificate::from_der(&bad).unwrap().serial()).unwrap();
        let entry = ListEntry {
            serial,
            date: Moment(NOW.0 - 60),
            reason: Some(Reason::KeyCompromise),
            invalidity: Some(Moment(NOW.0 - 6_000)),
        };
        let list = List::complete(77, NOW, Moment(NOW.0 + DAY));
        let planned = list.plan(&ca.authority, [entry]).unwrap();
        let signature = sign(planned.tbs(), planned.scheme(), &ca.key);
        let der = planned.signed(&signature).unwrap();
        let list = folder.pem("list.pem", "X509 CRL", &[der]);
        let args = ["crl", "-in", &list, "-noout", "-text", "-CAfile", &root];
        let text = folder.run("openssl", &args);
        assert!(text.contains("verify OK"), "{text}");
        assert!(text.contains("Key Compromise"), "{text}");
        assert!(text.contains("Invalidity Date"), "{text}");
        let good = folder.pem("good.pem", "CERTIFICATE", &[good]);
        let bad = folder.pem("bad.pem", "CERTIFICATE", &[bad]);
        let check = ["verify", "-crl_check", "-attime", &at, "-CAfile", &root];
        let with = ["-CRLfile", list.as_str()];
        folder.run("openssl", &[&check[..], &with[..], &[&good]].concat());
        folder.refuses("openssl", &[&check[..], &with[..], &[&bad]].concat());
    }
}

#[test]
fn openssl_takes_our_shards_and_deltas() {
    if !have("openssl") {
        return;
    }
    let folder = Folder::new();
    let ca = Ca::root(Algorithm::EcP256);
    let root = folder.pem("root.pem", "CERTIFICATE", &ca.authority.chain);
    let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
    let leaf = ca
        .issue(&ProfileKind::TlsClient.profile(), &request)
        .unwrap();
    let serial = Serial::from_contents(Certificate::from_der(&leaf).unwrap().serial()).unwrap();
    let leaf = folder.pem("leaf.pem", "CERTIFICATE", &[leaf]);
    let shard = List {
        point: ca.authority.published.crls_of(&serial),
        freshest: vec!["http://pki.skms.invalid/delta".to_owned()],
        ..List::complete(5, NOW, Moment(NOW.0 + DAY))
    };
    let delta = List {
        number: 6,
        base: Some(5),
        freshest: Vec::new(),
        ..shard.clone()
    };
    let gone = ListEntry {
        serial,
        date: NOW,
        reason: Some(Reason::Superseded),
        invalidity: None,
    };
    let signed = |list: &List, entries: &[ListEntry]| {
        let planned = list.plan(&ca.authority, entries.iter().copied()).unwrap();
        let signature = sign(planned.tbs(), planned.scheme(), &ca.key);
        planned.signed(&signature).unwrap()
    };
    let at = NOW.0.to_string();
    let check = ["verify", "-extended_crl", "-crl_check", "-attime", &at];
    let complete = folder.pem("a.pem", "X509 CRL", &[signed(&shard, &[])]);
    let both = folder.pem(
        "b.pem",
        "X509 CRL",
        &[signed(&shard, &[]), signed(&delta, &[gone])],
    );
    let with = |list: &str, more: &[&'static str]| {
        let files = ["-CAfile", root.as_str(), "-CRLfile", list, leaf.as_str()].map(str::to_owned);
        let all = check.iter().chain(more).map(|text| (*text).to_owned());
        all.chain(files).collect::<Vec<_>>()
    };
    let arguments = with(&complete, &[]);
    folder.run(
        "openssl",
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let arguments = with(&both, &["-use_deltas"]);
    folder.refuses(
        "openssl",
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn openssl_takes_our_ocsp_responses() {
    if !have("openssl") {
        return;
    }
    for &algorithm in KEYS.iter().filter(|algorithm| openssl_knows(**algorithm)) {
        let folder = Folder::new();
        let ca = Ca::root(algorithm);
        let root = folder.pem("root.pem", "CERTIFICATE", &ca.authority.chain);
        let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
        let leaf = ca
            .issue(&ProfileKind::TlsClient.profile(), &request)
            .unwrap();
        let serial = Serial::from_contents(Certificate::from_der(&leaf).unwrap().serial()).unwrap();
        let leaf = folder.pem("leaf.pem", "CERTIFICATE", &[leaf]);
        let signer_key = key(algorithm);
        let asked = good_request(ProfileKind::OcspSigner, spki(&signer_key));
        let signer = ca
            .issue(&ProfileKind::OcspSigner.profile(), &asked)
            .unwrap();
        let delegate = Responder::delegated(signer, ca.authority.scheme).unwrap();
        let own = Responder::authority(&ca.authority).unwrap();
        let at = NOW.0.to_string();
        for (responder, key) in [(&own, &ca.key), (&delegate, &signer_key)] {
            for (status, word) in [
                (SingleStatus::Good, ": good"),
                (
                    SingleStatus::Revoked {
                        date: Moment(NOW.0 - 60),
                        reason: Some(Reason::CessationOfOperation),
                    },
                    "Reason: cessationOfOperation",
                ),
                (SingleStatus::Unknown, ": unknown"),
            ] {
                let authority = &ca.authority;
                let answer = Answer {
                    id: CertIdBuf::new(
                        CertIdHash::Sha1,
                        authority.name.as_der(),
                        &authority.spki,
                        &serial,
                    )
                    .unwrap(),
                    status,
                    this_update: Moment(NOW.0 - 60),
                    next_update: Some(Moment(NOW.0 + DAY)),
                    archive_cutoff: Some(Moment(NOW.0 - DAY)),
                };
                let planned = responder.plan(NOW, &[answer], None).unwrap();
                let signature = sign(planned.tbs(), planned.scheme(), key);
                let der = planned.signed(&signature).unwrap();
                let file = folder.write("response.der", &der);
                // Its own clock decides about the answer's times, so that only
                // the signature and the path are asked about.
                let text = folder.run(
                    "openssl",
                    &[
                        "ocsp",
                        "-respin",
                        &file,
                        "-issuer",
                        &root,
                        "-cert",
                        &leaf,
                        "-CAfile",
                        &root,
                        "-attime",
                        &at,
                        "-no_nonce",
                        "-resp_text",
                        "-validity_period",
                        "3000000000",
                    ],
                );
                assert!(text.contains("Response verify OK"), "{text}");
                assert!(text.contains(word), "{word}: {text}");
                assert!(text.contains("Archive Cutoff"), "{text}");
            }
        }
    }
}

#[test]
fn openssl_and_we_take_each_others_requests() {
    if !have("openssl") {
        return;
    }
    let folder = Folder::new();
    for &algorithm in KEYS.iter().filter(|algorithm| openssl_knows(**algorithm)) {
        let key = key(algorithm);
        let mut request = good_request(ProfileKind::TlsServer, spki(&key));
        request.wished.purposes = vec![skms_pki::oid::SERVER_AUTH.into()];
        let scheme = SigningScheme::for_key(algorithm).unwrap();
        let planned = request.to_csr(scheme).unwrap();
        let der = planned.signed(&sign(planned.tbs(), scheme, &key)).unwrap();
        let file = folder.pem("ours.pem", "CERTIFICATE REQUEST", &[der]);
        let text = folder.run(
            "openssl",
            &["req", "-in", &file, "-verify", "-noout", "-text"],
        );
        assert!(text.contains("DNS:www.example.org"), "{text}");
    }
    // Its requests with the usages that its own configuration suggests.
    folder.run(
        "openssl",
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-outform",
            "DER",
            "-out",
            "theirs.der",
            "-subj",
            "/CN=a.example.org",
            "-addext",
            "subjectAltName=DNS:a.example.org,IP:192.0.2.7",
            "-addext",
            "keyUsage=nonRepudiation,digitalSignature,keyEncipherment",
            "-addext",
            "basicConstraints=CA:FALSE",
        ],
    );
    let der = std::fs::read(folder.path("theirs.der")).unwrap();
    let csr = Csr::from_der(&der).unwrap().verify().unwrap();
    let request = Request::from_csr(&csr).unwrap();
    let ca = Ca::root(Algorithm::EcP256);
    let der = ca
        .issue(&ProfileKind::TlsServer.profile(), &request)
        .unwrap();
    let leaf = folder.pem("leaf.pem", "CERTIFICATE", &[der]);
    let text = folder.run("openssl", &["x509", "-in", &leaf, "-noout", "-text"]);
    assert!(
        text.contains("Digital Signature, Key Encipherment"),
        "{text}"
    );
    assert!(text.contains("IP Address:192.0.2.7"), "{text}");
}

#[test]
fn certtool_verifies_our_chains() {
    if !have("certtool") {
        return;
    }
    let known = [
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Rsa3072,
        Algorithm::Ed25519,
    ];
    for algorithm in known {
        let folder = Folder::new();
        // It has no other clock than the machine's.
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = Moment(i64::try_from(clock.unwrap().as_secs()).unwrap());
        let intermediate = ProfileKind::Intermediate.profile();
        let ca = Ca::root_at(algorithm, now).below(&intermediate, algorithm);
        for kind in leaves().filter(|kind| *kind != ProfileKind::TlsServerWeb) {
            let request = good_request(kind, spki(&key(algorithm)));
            let leaf = ca.issue(&kind.profile(), &request).unwrap();
            let mut chain = vec![leaf];
            chain.extend(ca.authority.chain.clone());
            let verdict = |chain: &[Vec<u8>]| {
                let file = folder.pem("chain.pem", "CERTIFICATE", chain);
                let output = folder.start("certtool", &["--verify-chain", "--infile", &file]);
                (output.status.success(), said(&output))
            };
            let (good, text) = verdict(&chain);
            assert!(
                good && text.contains("Verified."),
                "{kind} {algorithm}: {text}"
            );
            let gap = [chain[0].clone(), chain[2].clone()];
            assert!(!verdict(&gap).0, "{kind} {algorithm}");
        }
    }
}

/// Asks the verifier of Python's `cryptography` about servers and clients.
const VERIFY: &str = r#"
import sys, json, datetime, ipaddress
from cryptography import x509
from cryptography.x509 import verification as v
ask = json.load(sys.stdin)
load = lambda text: x509.load_der_x509_certificate(bytes.fromhex(text))
leaf, *rest = map(load, ask["chain"])
at = datetime.datetime.fromtimestamp(ask["at"], datetime.timezone.utc).replace(tzinfo=None)
store = v.Store([rest[-1]])
policy = v.PolicyBuilder().store(store).time(at)
if ask["host"] is None:
    policy.build_client_verifier().verify(leaf, rest[:-1])
else:
    try:
        name = x509.IPAddress(ipaddress.ip_address(ask["host"]))
    except ValueError:
        name = x509.DNSName(ask["host"])
    policy.build_server_verifier(name).verify(leaf, rest[:-1])
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether Python's verifier takes a chain; what it says if not.
fn python_takes(
    python: &std::ffi::OsStr,
    chain: &[Vec<u8>],
    host: Option<&str>,
) -> Result<(), String> {
    use std::io::Write as _;
    let chain: Vec<_> = chain.iter().map(|der| hex(der)).collect();
    let ask = serde_json::json!({ "chain": chain, "host": host, "at": NOW.0 });
    let mut child = Command::new(python)
        .args(["-c", VERIFY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(ask.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(said(&output)),
    }
}

#[test]
fn python_verifies_servers_and_clients() {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        return eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
    };
    for algorithm in [Algorithm::EcP256, Algorithm::EcP384, Algorithm::Rsa3072] {
        let ca = Ca::issuing(algorithm);
        let issue = |kind: ProfileKind| {
            let request = good_request(kind, spki(&key(algorithm)));
            let mut chain = vec![ca.issue(&kind.profile(), &request).unwrap()];
            chain.extend(ca.authority.chain.clone());
            chain
        };
        for (kind, host) in [
            (ProfileKind::TlsServer, "www.example.org"),
            (ProfileKind::TlsServer, "other.example.org"),
            (ProfileKind::TlsServer, "192.0.2.1"),
            (ProfileKind::TlsMutual, "www.example.org"),
            (ProfileKind::TlsServerWeb, "www.skms-demo.org"),
        ] {
            let chain = issue(kind);
            assert_eq!(python_takes(&python, &chain, Some(host)), Ok(()), "{kind}");
            assert!(python_takes(&python, &chain, Some("example.com")).is_err());
        }
        let chain = issue(ProfileKind::TlsMutual);
        assert_eq!(python_takes(&python, &chain, None), Ok(()));
        let gap = [chain[0].clone(), chain[2].clone()];
        assert!(python_takes(&python, &gap, None).is_err());
    }
}
