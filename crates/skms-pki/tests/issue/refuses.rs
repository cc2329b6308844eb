//! Every demand, broken alone, is named; and broken together, all are.

use skms_crypto::Algorithm;
use skms_pki::Moment;
use skms_pki::certificate::{BasicConstraints, Form, KeyUsage};
use skms_pki::issue::{
    AltName, Authority, CommonNameRule, DAY, Demand, IssueError, NameBuf, Profile, ProfileKind,
    Request, SigningScheme, SubjectRule, Subtree, Wishes,
};
use skms_pki::oid;

use crate::support::{Ca, NOW, good_request, key, serial, spki};

/// A TLS server's request with this change, and the demands that it breaks.
fn broken(ca: &Ca, change: impl FnOnce(&mut Profile, &mut Request)) -> Vec<Demand> {
    broken_of(ca, ProfileKind::TlsServer, change)
}

fn broken_of(
    ca: &Ca,
    kind: ProfileKind,
    change: impl FnOnce(&mut Profile, &mut Request),
) -> Vec<Demand> {
    let mut profile = kind.profile();
    let mut request = good_request(kind, spki(&key(Algorithm::EcP256)));
    change(&mut profile, &mut request);
    match ca.issue(&profile, &request) {
        Ok(_) => Vec::new(),
        Err(IssueError::Refused(all)) => {
            assert!(all.iter().all(|one| !one.detail.is_empty()));
            all.iter().map(|one| one.demand).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn named(name: &str) -> impl FnOnce(&mut Profile, &mut Request) {
    let name = name.parse().unwrap();
    move |_, request: &mut Request| request.names.push(name)
}

#[test]
fn nothing_is_broken_by_a_good_request() {
    let ca = Ca::issuing(Algorithm::EcP256);
    assert_eq!(broken(&ca, |_, _| {}), []);
}

#[test]
fn keys() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let of = |algorithm| spki(&key(algorithm));
    let unknown = of(Algorithm::EcSecp256k1);
    assert_eq!(
        broken(&ca, |_, request| request.spki = unknown),
        [Demand::Key]
    );
    let weak = of(Algorithm::Rsa2048);
    assert_eq!(
        broken(&ca, |profile, request| {
            request.spki = weak;
            profile.keys.minimum_strength_bits = 128;
        }),
        [Demand::Key]
    );
    assert_eq!(
        broken(&ca, |profile, _| profile.keys.algorithms =
            vec![Algorithm::MlDsa65]),
        [Demand::Key]
    );
    // Not a point on the curve.
    assert_eq!(
        broken(&ca, |_, request| *request.spki.last_mut().unwrap() ^= 1),
        [Demand::Key]
    );
    let own = ca.authority.spki.clone();
    assert_eq!(broken(&ca, |_, request| request.spki = own), [Demand::Key]);
}

#[test]
fn names() {
    let ca = Ca::issuing(Algorithm::EcP256);
    for (name, demand) in [
        ("dns:exa mple.org", Demand::NameSyntax),
        ("dns:www.example.org\0.evil.test", Demand::NameSyntax),
        ("dns:a_b.example.org", Demand::NameSyntax),
        ("dns:192.0.2.1", Demand::NameSyntax),
        ("dns:www.example.org", Demand::NameSyntax),
        ("dns:ехample.org", Demand::Homograph),
        ("dns:xn--pypal-4ve.example", Demand::Homograph),
        ("dns:*.org", Demand::Wildcard),
        ("dns:w*.example.org", Demand::Wildcard),
        ("dns:*.*.example.org", Demand::Wildcard),
        ("email:a@example.org", Demand::NameForm),
        ("uri:https://example.org/", Demand::NameForm),
        ("dn:CN=x", Demand::NameForm),
        ("rid:1.2.3", Demand::NameForm),
    ] {
        assert_eq!(broken(&ca, named(name)), [demand], "{name}");
    }
    assert_eq!(
        broken(&ca, |profile, _| profile.names.wildcards = false),
        [Demand::Wildcard]
    );
    assert_eq!(
        broken(&ca, |profile, _| profile.names.most = 2),
        [Demand::TooManyNames]
    );
    assert_eq!(
        broken(&ca, |_, request| {
            request.names.clear();
            request.subject = NameBuf::empty();
        }),
        [Demand::NameMissing, Demand::NameMissing]
    );
}

#[test]
fn scopes_of_names() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let suffix = |suffix: &str| {
        let suffix = suffix.to_owned();
        broken(&ca, |profile, _| {
            profile.names.dns_suffixes = Some(vec![suffix])
        })
    };
    assert_eq!(suffix("example.org"), []);
    assert_eq!(suffix(".ORG"), []);
    assert_eq!(suffix("ample.org"), [Demand::NameScope; 2]);
    let network = |text: &str| {
        let network = text.parse().unwrap();
        broken(&ca, |profile, _| {
            profile.names.networks = Some(vec![network])
        })
    };
    assert_eq!(network("192.0.2.0/24"), []);
    assert_eq!(network("198.51.100.0/24"), [Demand::NameScope]);
    let mail = |domain: &str| {
        let domain = domain.to_owned();
        broken_of(&ca, ProfileKind::SMime, |profile, _| {
            profile.names.email_domains = Some(vec![domain]);
        })
    };
    assert_eq!(mail("example.org"), []);
    assert_eq!(mail("example.com"), [Demand::NameScope]);
    for (uri, demand) in [
        ("uri:https://team-a/user/1", Demand::NameScope),
        ("uri:skms://other/user/1", Demand::NameScope),
        ("uri:skms://team-a@other/user/1", Demand::NameSyntax),
        ("uri:/user/1", Demand::NameSyntax),
    ] {
        let name: AltName = uri.parse().unwrap();
        let found = broken_of(&ca, ProfileKind::Principal, |profile, request| {
            profile.names.uri_hosts = Some(vec!["team-a".to_owned()]);
            request.names = vec![name];
        });
        assert_eq!(found, [demand], "{uri}");
    }
    // Nobody is a principal by a certificate of another profile.
    for (uri, demands) in [
        ("uri:https://team-a/user/1", vec![]),
        ("uri:skms://team-a/user/1", vec![Demand::NameScope]),
        ("uri:SKMS://team-a/user/1", vec![Demand::NameScope]),
    ] {
        let name: AltName = uri.parse().unwrap();
        let found = broken_of(&ca, ProfileKind::TlsClient, |_, request| {
            request.names = vec![name];
        });
        assert_eq!(found, demands, "{uri}");
    }
    let base = |text: &str| {
        let base: NameBuf = text.parse().unwrap();
        broken_of(&ca, ProfileKind::TlsClient, |profile, _| {
            profile.names.directory_bases = Some(vec![base]);
        })
    };
    assert_eq!(base("O=Example"), []);
    assert_eq!(base("O=Other"), [Demand::NameScope]);
    assert_eq!(
        broken(&ca, |profile, request| {
            profile.names.international = false;
            request
                .names
                .push("dns:xn--bcher-kva.example.org".parse().unwrap());
        }),
        [Demand::NameScope]
    );
}

#[test]
fn subjects() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let subject = |text: &str| {
        let subject: NameBuf = text.parse().unwrap();
        broken(&ca, |_, request| request.subject = subject)
    };
    assert_eq!(subject("O=Example"), []);
    assert_eq!(subject("CN=other.example.org"), [Demand::CommonName]);
    assert_eq!(subject("O=a\u{202e}b"), [Demand::NameSyntax]);
    assert_eq!(subject("emailAddress=a@example.org"), [Demand::NameForm]);
    assert_eq!(
        broken(&ca, |profile, _| profile.names.common_name =
            CommonNameRule::None),
        [Demand::CommonName]
    );
    assert_eq!(
        broken(&ca, |profile, request| {
            profile.names.subject = SubjectRule::Required;
            request.subject = NameBuf::empty();
        }),
        [Demand::Subject]
    );
    let only = oid::ORGANIZATION.into();
    assert_eq!(
        broken(&ca, |profile, _| profile.names.subject_attributes =
            Some(vec![only])),
        [Demand::Subject]
    );
}

#[test]
fn old_strings_in_names_are_the_requesters_to_mend() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let subject = |der: &[u8]| {
        let subject = NameBuf::from_der(der).unwrap();
        broken_of(&ca, ProfileKind::TlsClient, |_, request| {
            request.subject = subject
        })
    };
    // A common name as TeletexString, and as UTF8String.
    let mut name = *b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x14\x01a";
    assert_eq!(subject(&name), [Demand::Subject]);
    name[11] = 0x0c;
    assert_eq!(subject(&name), []);
    // A country in small letters.
    let country = b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02de";
    assert_eq!(subject(country), [Demand::Subject]);
    assert_eq!(
        broken_of(&ca, ProfileKind::TlsClient, |_, request| {
            request.names.push(AltName::Directory(NameBuf::empty()));
        }),
        [Demand::NameSyntax]
    );
}

#[test]
fn public_servers() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let web =
        |change: fn(&mut Profile, &mut Request)| broken_of(&ca, ProfileKind::TlsServerWeb, change);
    assert_eq!(web(|_, _| {}), []);
    for name in ["dns:host", "dns:a.local", "ip:10.0.0.1", "ip:fd00::1"] {
        let found = broken_of(&ca, ProfileKind::TlsServerWeb, named(name));
        assert_eq!(found, [Demand::InternalName], "{name}");
    }
    assert_eq!(
        web(|_, request| request.subject = "O=Example".parse().unwrap()),
        [Demand::Subject]
    );
    // The schedule, not the profile: 200 days until 2027-03-14.
    let days = |now: i64, days: i64| {
        let ca = &ca.authority;
        let mut profile = ProfileKind::TlsServerWeb.profile();
        profile.lifetime.max_seconds = 1000 * DAY;
        let mut request = good_request(ProfileKind::TlsServerWeb, spki(&key(Algorithm::EcP256)));
        request.not_before = Some(Moment(now));
        request.not_after = Some(Moment(now + days * DAY - 1));
        match profile.plan(ca, &request, serial(), Moment(now)) {
            Ok(_) => Vec::new(),
            Err(error) => error.demands(),
        }
    };
    const LAST_OF_200: i64 = 1_805_068_799;
    assert_eq!(days(NOW.0, 200), []);
    assert_eq!(days(NOW.0, 201), [Demand::Lifetime]);
    assert_eq!(days(LAST_OF_200, 200), []);
    assert_eq!(days(LAST_OF_200 + 1, 101), [Demand::Lifetime]);
    assert_eq!(days(LAST_OF_200 + 1, 100), []);
    assert_eq!(days(1_868_227_200, 48), [Demand::Lifetime]);
    assert_eq!(days(1_868_227_200, 47), []);
}

#[test]
fn lifetimes() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let between = |from: i64, until: i64| {
        broken(&ca, |_, request| {
            request.not_before = Some(Moment(NOW.0 + from));
            request.not_after = Some(Moment(NOW.0 + until));
        })
    };
    assert_eq!(between(0, 398 * DAY - 1), []);
    assert_eq!(between(0, 398 * DAY), [Demand::Lifetime]);
    assert_eq!(between(10, 9), [Demand::Lifetime]);
    assert_eq!(between(-100, 0), [Demand::Lifetime]);
    assert_eq!(between(3 * DAY, 4 * DAY), [Demand::Lifetime]);
    // Its authority began an hour ago too.
    assert_eq!(
        between(-3_601, DAY),
        [Demand::Lifetime, Demand::AuthorityLifetime]
    );
    assert_eq!(
        broken(&ca, |profile, request| {
            profile.lifetime.max_seconds = i64::MAX;
            request.not_after = Some(Moment(NOW.0 + 6 * 365 * DAY));
        }),
        [Demand::AuthorityLifetime]
    );
    assert!(
        broken(&ca, |_, request| request.not_after = Some(Moment(i64::MAX)))
            .contains(&Demand::Lifetime)
    );
}

#[test]
fn an_authority_that_is_not_valid_issues_nothing() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
    let profile = ProfileKind::TlsClient.profile();
    for now in [Moment(NOW.0 - DAY), Moment(NOW.0 + 30 * 365 * DAY)] {
        let error = profile
            .plan(&ca.authority, &request, serial(), now)
            .unwrap_err();
        assert!(error.demands().contains(&Demand::Authority), "{error}");
    }
}

#[test]
fn wishes() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let with = |wishes: Wishes, usage: Option<KeyUsage>, purposes: &[oid::Oid<'_>]| {
        broken(&ca, |profile, request| {
            profile.usage.wishes = wishes;
            request.wished.key_usage = usage;
            request.wished.purposes = purposes.iter().map(|one| (*one).into()).collect();
        })
    };
    let beyond = KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::KEY_AGREEMENT);
    let both = [oid::SERVER_AUTH, oid::CLIENT_AUTH];
    assert_eq!(with(Wishes::Narrow, Some(beyond), &both), []);
    assert_eq!(with(Wishes::Strict, Some(beyond), &[]), [Demand::Usage]);
    assert_eq!(with(Wishes::Strict, None, &both), [Demand::Usage]);
    assert_eq!(
        with(
            Wishes::Narrow,
            Some(KeyUsage::KEY_AGREEMENT),
            &[oid::CODE_SIGNING]
        ),
        [Demand::Usage, Demand::Usage]
    );
    assert_eq!(
        with(
            Wishes::Ignore,
            Some(KeyUsage::KEY_AGREEMENT),
            &[oid::CODE_SIGNING]
        ),
        []
    );
    let ca_flag = |ca| Some(BasicConstraints { ca, path_len: None });
    assert_eq!(
        broken(&ca, |_, request| request.wished.basic_constraints =
            ca_flag(true)),
        [Demand::Usage]
    );
    assert_eq!(
        broken(&ca, |_, request| request.wished.basic_constraints =
            ca_flag(false)),
        []
    );
    assert_eq!(
        broken(&ca, |_, request| {
            request.wished.critical_others = vec![oid::NAME_CONSTRAINTS.into()];
        }),
        [Demand::Usage]
    );
}

#[test]
fn path_lengths() {
    let root = Ca::root(Algorithm::EcP256);
    let issuing = root.below(&ProfileKind::Intermediate.profile(), Algorithm::EcP256);
    let below = |ca: &Ca| {
        broken_of(ca, ProfileKind::Intermediate, |_, request| {
            request.subject = "CN=Below".parse().unwrap();
        })
    };
    assert_eq!(below(&root), []);
    assert_eq!(below(&issuing), [Demand::PathLength]);
    // A limit further up counts as well, and what is asked for shrinks to fit.
    let mut wide = ProfileKind::Intermediate.profile();
    wide.authority.as_mut().unwrap().path_len = Some(1);
    let upper = root.below(&wide, Algorithm::EcP256);
    let mut wider = wide.clone();
    wider.authority.as_mut().unwrap().path_len = Some(7);
    let request = Request::new("CN=Lower".parse().unwrap(), spki(&key(Algorithm::EcP384)));
    let der = upper.issue(&wider, &request).unwrap();
    let lower = skms_pki::Certificate::from_der(&der).unwrap();
    let found = lower.extensions().basic_constraints.unwrap();
    assert_eq!(found.path_len, Some(0));
}

#[test]
fn name_constraints_of_every_form() {
    let root = Ca::root(Algorithm::EcP256);
    let mut profile = ProfileKind::Intermediate.profile();
    let rules = profile.authority.as_mut().unwrap();
    rules.permitted = vec![
        Subtree::Dns("example.org".to_owned()),
        Subtree::Email("example.org".to_owned()),
        Subtree::Uri("team-a".to_owned()),
        Subtree::Ip("192.0.2.0/24".parse().unwrap()),
        Subtree::Directory("O=Example".parse().unwrap()),
        Subtree::Directory("CN=www.example.org".parse().unwrap()),
    ];
    rules.excluded = vec![
        Subtree::Dns("secret.example.org".to_owned()),
        Subtree::RegisteredId("1.2.3".parse().unwrap()),
    ];
    let ca = root.below(&profile, Algorithm::EcP256);
    let asked = |names: &[&str]| {
        let names: Vec<AltName> = names.iter().map(|name| name.parse().unwrap()).collect();
        broken_of(&ca, ProfileKind::TlsClient, |profile, request| {
            profile.names.forms.push(Form::RegisteredId);
            request.names = names;
        })
    };
    assert_eq!(
        asked(&[
            "dns:a.example.org",
            "email:a@example.org",
            "uri:https://team-a/user/1",
            "ip:192.0.2.9",
            "dn:O=Example, CN=x",
        ]),
        []
    );
    for name in [
        "dns:a.example.com",
        "dns:a.secret.example.org",
        "email:a@other.example.org",
        "uri:https://team-b/user/1",
        "ip:192.0.3.9",
        "dn:O=Other",
        "rid:1.2.4",
    ] {
        assert_eq!(asked(&[name]), [Demand::NameConstraints], "{name}");
    }
    assert_eq!(
        broken_of(&ca, ProfileKind::TlsClient, |_, request| {
            request.subject = "O=Other".parse().unwrap();
        }),
        [Demand::NameConstraints]
    );
    // A wildcard that covers an excluded name.
    let found = broken_of(&ca, ProfileKind::TlsServer, |_, request| {
        request.names = vec!["dns:*.example.org".parse().unwrap()];
        request.subject = NameBuf::empty();
    });
    assert_eq!(found, [Demand::NameConstraints]);
}

#[test]
fn authorities_that_are_none() {
    let root = Ca::root(Algorithm::EcP256);
    let plan = |authority: &Authority, kind: ProfileKind| {
        let request = good_request(kind, spki(&key(Algorithm::EcP256)));
        let planned = kind.profile().plan(authority, &request, serial(), NOW);
        planned.map(|_| ()).unwrap_err().demands()
    };
    let kind = ProfileKind::TlsClient;
    // A leaf issues nothing.
    let leaf_key = key(Algorithm::EcP256);
    let leaf = root
        .issue(&kind.profile(), &good_request(kind, spki(&leaf_key)))
        .unwrap();
    let chain = vec![leaf, root.authority.chain[0].clone()];
    let leaf = Authority::from_chain(chain, root.authority.scheme).unwrap();
    assert_eq!(plan(&leaf, kind), [Demand::Authority]);
    // Another key's scheme, another's certificate, no certificate, no name.
    let mut wrong = root.authority.clone();
    wrong.scheme = SigningScheme::for_key(Algorithm::EcP384).unwrap();
    assert_eq!(plan(&wrong, kind), [Demand::Authority]);
    let mut wrong = root.authority.clone();
    wrong.spki = spki(&key(Algorithm::EcP256));
    assert_eq!(plan(&wrong, kind), [Demand::Authority]);
    let mut wrong = root.authority.clone();
    wrong.chain.clear();
    assert_eq!(plan(&wrong, kind), [Demand::Authority]);
    // A root for another's key.
    assert_eq!(
        plan(&root.authority, ProfileKind::Root),
        [Demand::Authority]
    );
    // An authority's name is no leaf's to bear: nothing forbids it, but its key is.
    assert!(Authority::from_chain(Vec::new(), root.authority.scheme).is_err());
}

#[test]
fn one_refusal_names_everything() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let found = broken(&ca, |profile, request| {
        profile.keys.minimum_strength_bits = 256;
        request.subject = "CN=x".parse().unwrap();
        request.names.push("dns:a\0b".parse().unwrap());
        request.names.push("email:a@b.example".parse().unwrap());
        request.not_after = Some(Moment(NOW.0 - 1));
        request.wished.basic_constraints = Some(BasicConstraints {
            ca: true,
            path_len: None,
        });
    });
    for demand in [
        Demand::Key,
        Demand::CommonName,
        Demand::NameSyntax,
        Demand::NameForm,
        Demand::Lifetime,
        Demand::Usage,
    ] {
        assert!(found.contains(&demand), "{demand}");
    }
}
