//! SSH certificates and revocation lists: by our own account, and by OpenSSH's
//! `ssh-keygen` where it is installed.

#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
use skms_pki::issue::SigningScheme;
use skms_pki::ssh::role::Circumstances;
use skms_pki::ssh::{
    Asked, Certificate, CertificateType, Error, Grant, Krl, KrlRead, PublicKey, Revoked, Role,
    Serials, Unsigned, scheme,
};

const NOW: u64 = 1_800_000_000;

fn key(algorithm: Algorithm) -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap()
}

fn public(key: &OpenKey) -> PublicKey {
    PublicKey::from_spki(key.public_key().unwrap().spki_der()).unwrap()
}

fn role() -> Role {
    Role {
        principals: vec!["alice".to_owned(), "*.example.org".to_owned()],
        default_principals: vec!["alice".to_owned()],
        allowed_extensions: vec!["permit-port-forwarding".to_owned()],
        source_addresses: vec!["10.0.0.0/8".parse().unwrap()],
        ..Role::default()
    }
}

fn at(serial: u64) -> Circumstances<'static> {
    Circumstances {
        caller: "caller",
        role: "role",
        serial,
        now: NOW,
    }
}

fn granted(asked: &Asked, serial: u64) -> Grant {
    let subject = public(&key(Algorithm::Ed25519));
    let kind = CertificateType::User;
    role().grant(kind, &subject, asked, at(serial)).unwrap()
}

fn issue(
    authority: &OpenKey,
    scheme: SigningScheme,
    subject: &PublicKey,
    grant: &Grant,
) -> Vec<u8> {
    let own = public(authority);
    let unsigned = Unsigned::new((&own, scheme), subject, grant, &[7; 32]).unwrap();
    let options = unsigned.scheme().sign_options();
    let signature = authority.sign(Message::Raw(unsigned.tbs()), &options);
    unsigned.signed(&signature.unwrap()).unwrap()
}

const AUTHORITIES: [(Algorithm, Option<&str>, &str); 6] = [
    (Algorithm::Ed25519, None, "ssh-ed25519"),
    (Algorithm::EcP256, None, "ecdsa-sha2-nistp256"),
    (Algorithm::EcP384, None, "ecdsa-sha2-nistp384"),
    (Algorithm::EcP521, None, "ecdsa-sha2-nistp521"),
    (Algorithm::Rsa2048, None, "rsa-sha2-512"),
    (
        Algorithm::Rsa2048,
        Some("RSA-PKCS1-SHA-256"),
        "rsa-sha2-256",
    ),
];

/// `None`, said aloud, where `ssh-keygen` is missing.
fn keygen(folder: &Path, arguments: &[&str]) -> Option<Output> {
    let ran = Command::new("ssh-keygen")
        .current_dir(folder)
        .args(arguments)
        .output();
    match ran {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: ssh-keygen does not run: {error}");
            None
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn certificates_of_every_authority_and_key_are_read_back() {
    let subjects = [Algorithm::Ed25519, Algorithm::EcP384, Algorithm::Rsa3072];
    let folder = tempfile::tempdir().unwrap();
    for (algorithm, name, words) in AUTHORITIES {
        let authority = key(algorithm);
        let scheme = scheme(algorithm, name).unwrap();
        for kind in subjects {
            let subject = public(&key(kind));
            let asked = Asked {
                force_command: Some("/bin/true".to_owned()),
                ..Asked::default()
            };
            let grant = granted(&asked, u64::MAX);
            let blob = issue(&authority, scheme, &subject, &grant);
            let read = Certificate::from_blob(&blob).unwrap();
            assert_eq!((&read.key, &read.grant), (&subject, &grant));
            assert_eq!(read.authority, public(&authority).blob());
            for cut in 0..blob.len() {
                assert!(Certificate::from_blob(&blob[..cut]).is_err(), "{cut}");
            }
            let line = Certificate::line(&read.name, &blob, "comment");
            std::fs::write(folder.path().join("x-cert.pub"), line).unwrap();
            let Some(shown) = keygen(folder.path(), &["-L", "-f", "x-cert.pub"]) else {
                continue;
            };
            let shown = text(&shown);
            for part in [
                "user certificate",
                &format!("(using {words})"),
                "Serial: 18446744073709551615",
                "Key ID: \"caller/role/18446744073709551615\"",
                "alice",
                "force-command /bin/true",
                "source-address 10.0.0.0/8",
                "permit-pty",
            ] {
                assert!(shown.contains(part), "{part} is not in {shown}");
            }
        }
    }
}

#[test]
fn a_signature_of_another_key_makes_no_certificate() {
    for (algorithm, name, _) in AUTHORITIES {
        let (own, other) = (key(algorithm), key(algorithm));
        let scheme = scheme(algorithm, name).unwrap();
        let subject = public(&key(Algorithm::Ed25519));
        let grant = granted(&Asked::default(), 1);
        let unsigned = Unsigned::new((&public(&own), scheme), &subject, &grant, &[7; 32]).unwrap();
        let sign = |key: &OpenKey| {
            key.sign(Message::Raw(unsigned.tbs()), &scheme.sign_options())
                .unwrap()
        };
        assert!(unsigned.clone().signed(&sign(&own)).is_ok());
        let wrong = unsigned.clone().signed(&sign(&other));
        assert!(matches!(wrong, Err(Error::Signature(_))));
    }
}

#[test]
fn keys_come_from_lines_and_weak_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let good = public(&key(Algorithm::EcP521));
    assert_eq!(
        PublicKey::from_line(&good.line("a comment")),
        Ok(good.clone())
    );
    let line = good.line("");
    let (name, code) = line.split_once(' ').unwrap();
    let ed = public(&key(Algorithm::Ed25519)).line("");
    let other = ed.split_once(' ').unwrap().1;
    for bad in [
        "",
        name,
        &format!("{name} {code}\n{name} {code}"),
        &format!("{name} {other}"),
        &format!("ssh-ed25519 {code}"),
        &format!("{name} {}", &code[..code.len() - 4]),
        &format!("{name} *"),
        &format!("restrict {line}"),
        "ssh-ed25519-cert-v01@openssh.com AAAA",
    ] {
        assert!(PublicKey::from_line(bad).is_err(), "{bad}");
    }
    // Off the curve: the last bit of y.
    let mut blob = good.blob().to_vec();
    *blob.last_mut().unwrap() ^= 1;
    assert!(matches!(PublicKey::from_blob(&blob), Err(Error::Key(_))));
    assert!(matches!(
        PublicKey::from_line("ssh-dss AAAAB3NzaC1kc3M="),
        Err(Error::Key(said)) if said.contains("DSA")
    ));
    let make = ["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", "small"];
    if keygen(folder.path(), &make).is_some_and(|made| made.status.success()) {
        let small = std::fs::read_to_string(folder.path().join("small.pub")).unwrap();
        let said = PublicKey::from_line(&small).unwrap_err().to_string();
        assert!(said.contains("2048"), "{said}");
    }
    for algorithm in [
        Algorithm::X25519,
        Algorithm::MlDsa65,
        Algorithm::EcSecp256k1,
    ] {
        let other = key(algorithm);
        let spki = other.public_key().unwrap();
        assert!(
            PublicKey::from_spki(spki.spki_der()).is_err(),
            "{algorithm}"
        );
    }
}

#[test]
fn ssh_keygen_makes_keys_that_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, bits) in [
        ("ed25519", "256"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("rsa", "2048"),
    ] {
        let name = format!("{kind}-{bits}");
        let make = ["-q", "-t", kind, "-b", bits, "-N", "", "-f", &name];
        let Some(made) = keygen(folder.path(), &make) else {
            return;
        };
        assert!(made.status.success(), "{}", text(&made));
        let line = std::fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap();
        let read = PublicKey::from_line(&line).unwrap();
        let back = PublicKey::from_spki(read.spki()).unwrap();
        assert_eq!(read, back, "{name}");
    }
}

#[test]
fn what_a_role_does_not_let_through_is_refused_by_name() {
    let subject = public(&key(Algorithm::Ed25519));
    let ask = |role: &Role, asked: &Asked| {
        role.grant(CertificateType::User, &subject, asked, at(1))
            .map_err(|error| error.to_string())
    };
    let names = |all: &[&str]| Asked {
        principals: all.iter().map(|one| (*one).to_owned()).collect(),
        ..Asked::default()
    };
    let good = ask(&role(), &names(&["alice", "www.example.org", "alice"])).unwrap();
    assert_eq!(good.principals, ["alice", "www.example.org"]);
    assert_eq!(
        (good.valid_after, good.valid_before),
        (NOW - 120, NOW + 3600)
    );
    for bad in [
        "bob",
        "",
        "example.org",
        ".example.org",
        "*.example.org",
        "alice,root",
        "al ice",
    ] {
        let said = ask(&role(), &names(&["alice", bad])).unwrap_err();
        assert!(said.contains("principal"), "{bad}: {said}");
    }
    let nobody = Role {
        default_principals: Vec::new(),
        ..role()
    };
    assert!(
        ask(&nobody, &Asked::default())
            .unwrap_err()
            .contains("none")
    );
    let with = |change: fn(&mut Asked)| {
        let mut asked = Asked::default();
        change(&mut asked);
        ask(&role(), &asked)
    };
    assert!(with(|asked| asked.seconds = Some(86_400)).is_ok());
    assert!(
        with(|asked| asked.seconds = Some(86_401))
            .unwrap_err()
            .contains("lifetime")
    );
    assert!(
        with(|asked| asked.seconds = Some(0))
            .unwrap_err()
            .contains("lifetime")
    );
    assert!(
        with(|asked| asked.seconds = Some(u64::MAX))
            .unwrap_err()
            .contains("lifetime")
    );
    let one = |name: &str| Some(vec![name.to_owned()]);
    assert!(
        ask(
            &role(),
            &Asked {
                extensions: one("permit-port-forwarding"),
                ..Asked::default()
            }
        )
        .is_ok()
    );
    let said = ask(
        &role(),
        &Asked {
            extensions: one("permit-user-rc"),
            ..Asked::default()
        },
    );
    assert!(said.unwrap_err().contains("permit-user-rc"));
    let network = |text: &str| {
        let asked = Asked {
            source_addresses: vec![text.parse().unwrap()],
            ..Asked::default()
        };
        ask(&role(), &asked)
    };
    assert!(network("10.1.0.0/16").is_ok());
    assert!(
        network("192.0.2.0/24")
            .unwrap_err()
            .contains("source-address")
    );
    assert!(network("0.0.0.0/0").unwrap_err().contains("source-address"));
    assert!(network("10.1.2.3/16").unwrap_err().contains("prefix"));
    let forced = Role {
        force_command: Some("/bin/true".to_owned()),
        key_types: vec!["ssh-rsa".to_owned()],
        ..role()
    };
    let said = ask(
        &forced,
        &Asked {
            force_command: Some("/bin/sh".to_owned()),
            ..Asked::default()
        },
    );
    let said = said.unwrap_err();
    assert!(
        said.contains("force-command") && said.contains("key:"),
        "{said}"
    );
    let wide = Role {
        max_seconds: 59,
        default_seconds: 59,
        ..role()
    };
    assert!(wide.check(CertificateType::User).is_err());
    assert!(role().check(CertificateType::User).is_ok());
    assert!(role().check(CertificateType::Host).is_err());
    for wrong in [
        Role {
            principals: Vec::new(),
            default_principals: Vec::new(),
            ..role()
        },
        Role {
            principals: vec!["a*b".to_owned()],
            default_principals: Vec::new(),
            ..role()
        },
        Role {
            default_principals: vec!["bob".to_owned()],
            ..role()
        },
        Role {
            default_seconds: 90_000,
            ..role()
        },
        Role {
            extensions: vec!["permit-all".to_owned()],
            ..role()
        },
        Role {
            key_types: vec!["ssh-dss".to_owned()],
            ..role()
        },
        Role {
            key_id: "{who}".to_owned(),
            ..role()
        },
        Role {
            key_id: "a b".to_owned(),
            ..role()
        },
        Role {
            force_command: Some("a\nb".to_owned()),
            ..role()
        },
        Role {
            source_addresses: vec!["10.1.1.1/8".parse().unwrap()],
            ..role()
        },
    ] {
        assert!(wrong.check(CertificateType::User).is_err(), "{wrong:?}");
    }
}

#[test]
fn revocation_lists_name_what_they_should_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let authority = key(Algorithm::EcP256);
    let scheme = scheme(Algorithm::EcP256, None).unwrap();
    let make = |name: &str, serial: u64| {
        let subject = public(&key(Algorithm::Ed25519));
        let mut grant = granted(&Asked::default(), serial);
        grant.key_id = format!("id-{name}");
        let blob = issue(&authority, scheme, &subject, &grant);
        let line = Certificate::line(subject.certificate_name(), &blob, name);
        std::fs::write(folder.path().join(format!("{name}-cert.pub")), line).unwrap();
        subject
    };
    for (name, serial) in [
        ("one", 1),
        ("two", 5),
        ("three", 6),
        ("four", u64::MAX),
        ("named", 9),
        ("good", 8),
    ] {
        make(name, serial);
    }
    let hashed = make("hashed", 10);
    let revoked = Revoked {
        serials: [1, 5, 6, 7, u64::MAX].into_iter().collect(),
        key_ids: ["id-named".to_owned()].into(),
        keys: [hashed.sha256()].into(),
    };
    let own = public(&authority);
    let list = |revoked: &Revoked| {
        Krl {
            authority: &own,
            version: 3,
            generated_at: NOW,
            comment: "users",
            revoked,
        }
        .encode()
    };
    let bytes = list(&revoked);
    let read = KrlRead {
        authority: Some(own.blob().to_vec()),
        version: 3,
        generated_at: NOW,
        comment: "users".to_owned(),
        revoked: revoked.clone(),
    };
    assert_eq!(Krl::decode(&bytes), Ok(read.clone()));
    for cut in 0..bytes.len() {
        // What ends between two sections is a shorter list.
        assert_ne!(Krl::decode(&bytes[..cut]), Ok(read.clone()), "{cut}");
    }
    assert!(Krl::decode(b"SSHKRL\n\0").is_err());
    let empty = KrlRead {
        authority: None,
        revoked: Revoked::default(),
        ..read
    };
    assert_eq!(Krl::decode(&list(&Revoked::default())), Ok(empty));
    std::fs::write(folder.path().join("krl"), &bytes).unwrap();
    std::fs::write(folder.path().join("empty"), list(&Revoked::default())).unwrap();
    for (name, named) in [
        ("one", true),
        ("two", true),
        ("three", true),
        ("four", true),
        ("named", true),
        ("hashed", true),
        ("good", false),
    ] {
        let file = format!("{name}-cert.pub");
        for (list, named) in [("krl", named), ("empty", false)] {
            let Some(asked) = keygen(folder.path(), &["-Q", "-f", list, &file]) else {
                return;
            };
            let said = text(&asked);
            assert_eq!(said.contains("REVOKED"), named, "{name} {list}: {said}");
            assert_eq!(asked.status.success(), !named, "{name} {list}: {said}");
        }
    }
    // Another authority's certificates of the same numbers are not revoked,
    // but those of a revoked key are.
    let other = key(Algorithm::Ed25519);
    let other_scheme = skms_pki::ssh::scheme(Algorithm::Ed25519, None).unwrap();
    for (subject, named) in [(public(&key(Algorithm::Ed25519)), false), (hashed, true)] {
        let blob = issue(
            &other,
            other_scheme,
            &subject,
            &granted(&Asked::default(), 1),
        );
        let line = Certificate::line(subject.certificate_name(), &blob, "other");
        std::fs::write(folder.path().join("other-cert.pub"), line).unwrap();
        let asked = keygen(folder.path(), &["-Q", "-f", "krl", "other-cert.pub"]).unwrap();
        assert_eq!(asked.status.success(), !named, "{}", text(&asked));
    }
}

/// A list of one authority's section with these subsections.
fn list_of(subsections: &[(u8, &[u8])]) -> Vec<u8> {
    let string = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    };
    let mut section = [string(b"key"), string(b"")].concat();
    for (kind, body) in subsections {
        section.push(*kind);
        section.extend(string(body));
    }
    let head = [&b"SSHKRL\n\0\0\0\0\x01"[..], &[0; 24], &[0; 8]].concat();
    [&head[..], &[1], &string(&section)].concat()
}

#[test]
fn a_list_takes_no_more_room_than_its_bytes_however_much_it_names() {
    let range = |first: u64, last: u64| [first.to_be_bytes(), last.to_be_bytes()].concat();
    let decode = |runs: &[(u64, u64)]| {
        let bodies: Vec<_> = runs
            .iter()
            .map(|(first, last)| range(*first, *last))
            .collect();
        let subsections: Vec<_> = bodies.iter().map(|body| (0x21, body.as_slice())).collect();
        Krl::decode(&list_of(&subsections))
    };
    // All numbers there are, ten thousand times.
    let all = decode(&vec![(1, u64::MAX); 10_000]).unwrap().revoked;
    assert_eq!(all.serials.runs().collect::<Vec<_>>(), [(1, u64::MAX)]);
    // What is written is read back however long its runs are.
    let mut serials = Serials::default();
    serials.insert_run(7, 7 + (1 << 21));
    serials.insert(u64::MAX);
    let own = public(&key(Algorithm::Ed25519));
    let revoked = Revoked {
        serials,
        ..Revoked::default()
    };
    let krl = Krl {
        authority: &own,
        version: 1,
        generated_at: NOW,
        comment: "",
        revoked: &revoked,
    };
    assert_eq!(Krl::decode(&krl.encode()).unwrap().revoked, revoked);

    for (first, last) in [(2, 1), (0, 5), (u64::MAX, 1)] {
        assert!(decode(&[(first, last)]).is_err(), "{first} to {last}");
    }
    let list = |body: &[u8]| Krl::decode(&list_of(&[(0x20, body)]));
    assert!(list(&1u64.to_be_bytes()).is_ok());
    assert!(list(&0u64.to_be_bytes()).is_err());
    assert!(list(&[0, 1]).is_err());
    assert!(Krl::decode(&list_of(&[(0x22, &[0; 12])])).is_err());
}

#[test]
fn a_key_identifier_that_could_not_be_revoked_is_not_given() {
    let subject = public(&key(Algorithm::Ed25519));
    let names = (0..20).map(|one| format!("{one:0>250}"));
    let role = Role {
        principals: vec!["*".to_owned()],
        default_principals: names.collect(),
        key_id: "{principals}".to_owned(),
        ..Role::default()
    };
    role.check(CertificateType::User).unwrap();
    let ask = |asked: &Asked| role.grant(CertificateType::User, &subject, asked, at(1));
    let said = ask(&Asked::default()).unwrap_err().to_string();
    assert!(said.contains("key identifier"), "{said}");
    let few = Asked {
        principals: vec!["alice".to_owned()],
        ..Asked::default()
    };
    assert_eq!(ask(&few).unwrap().key_id, "alice");
}

#[test]
fn a_role_for_verified_users_certifies_security_keys_alone() {
    let role = Role {
        verify_required: true,
        ..role()
    };
    let asked = Asked {
        principals: vec!["alice".to_owned()],
        ..Asked::default()
    };
    let ordinary = public(&key(Algorithm::Ed25519));
    let said = role.grant(CertificateType::User, &ordinary, &asked, at(1));
    let said = said.unwrap_err().to_string();
    assert!(said.contains("security keys only"), "{said}");
    // The same point on such a key.
    let mut blob = Vec::new();
    let point = &ordinary.blob()[ordinary.blob().len() - 32..];
    for part in [&b"sk-ssh-ed25519@openssh.com"[..], point, b"ssh:"] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    let line = format!("sk-ssh-ed25519@openssh.com {}", STANDARD.encode(blob));
    let security = PublicKey::from_line(&line).unwrap();
    role.grant(CertificateType::User, &security, &asked, at(1))
        .unwrap();
}

#[test]
fn a_request_for_very_many_names_is_refused_before_they_are_compared() {
    let role = Role {
        principals: vec!["*".to_owned()],
        ..role()
    };
    let asked = Asked {
        principals: (0..100_000).map(|number| format!("p{number}")).collect(),
        ..Asked::default()
    };
    let subject = public(&key(Algorithm::Ed25519));
    let said = role.grant(CertificateType::User, &subject, &asked, at(1));
    let said = said.unwrap_err().to_string();
    assert!(said.contains("over"), "{said}");
    assert!(said.len() < 200, "{said}");
}
