//! Whatever is asked: what is planned is read and valid by our own account, and
//! what is not is refused and nothing else.

use std::sync::OnceLock;

use proptest::prelude::*;
use skms_crypto::Algorithm;
use skms_pki::certificate::{BasicConstraints, KeyUsage};
use skms_pki::issue::{AltName, IssueError, NameBuf, ProfileKind, Request, lint};
use skms_pki::oid;
use skms_pki::{Certificate, Moment, Options};

use crate::accepts::accepted;
use crate::support::{Ca, NOW, key, serial, sign, spki};

fn keys() -> &'static [Vec<u8>] {
    static KEYS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    KEYS.get_or_init(|| {
        [
            Algorithm::EcP256,
            Algorithm::Ed25519,
            Algorithm::Rsa2048,
            Algorithm::MlDsa65,
            Algorithm::X25519,
        ]
        .map(|algorithm| spki(&key(algorithm)))
        .to_vec()
    })
}

fn authority() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| {
        let mut profile = ProfileKind::Intermediate.profile();
        profile.authority.as_mut().unwrap().path_len = Some(1);
        Ca::root(Algorithm::EcP256).below(&profile, Algorithm::EcP256)
    })
}

fn name() -> impl Strategy<Value = AltName> {
    let host = prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
        "(\\*\\.)?[a-zA-Z0-9_*-]{0,8}\\.(org|example|x1)",
        "xn--[a-z0-9-]{1,12}\\.org",
        "\\PC{0,12}",
    ];
    prop_oneof![
        4 => host.clone().prop_map(AltName::Dns),
        1 => host.clone().prop_map(|host| AltName::Email(format!("a@{host}"))),
        1 => host.prop_map(|host| AltName::Uri(format!("skms://{host}/x/y"))),
        1 => any::<std::net::IpAddr>().prop_map(AltName::Ip),
        1 => "CN=[a-z]{1,9}".prop_map(|text| AltName::Directory(text.parse().unwrap())),
    ]
}

fn subject() -> impl Strategy<Value = NameBuf> {
    prop_oneof![
        Just(NameBuf::empty()),
        "[A-Z][a-z]{0,8}".prop_map(|text| NameBuf::common_name(&text).unwrap()),
        "\\PC{1,20}".prop_map(|text| NameBuf::common_name(&text).unwrap_or(NameBuf::empty())),
        Just("C=DE, O=Example, CN=x".parse().unwrap()),
    ]
}

fn moment() -> impl Strategy<Value = Option<Moment>> {
    prop_oneof![
        3 => Just(None),
        3 => (-4_000i64..4_000_000).prop_map(|by| Some(Moment(NOW.0 + by))),
        1 => any::<i64>().prop_map(|at| Some(Moment(at))),
    ]
}

prop_compose! {
    fn request()(
        subject in subject(),
        names in prop::collection::vec(name(), 0..4),
        key in 0usize..5,
        bytes in prop::option::weighted(0.1, prop::collection::vec(any::<u8>(), 0..80)),
        not_before in moment(),
        not_after in moment(),
        usage in prop::option::of(prop_oneof![
            Just(KeyUsage::DIGITAL_SIGNATURE),
            Just(KeyUsage::KEY_CERT_SIGN),
            Just(KeyUsage::NONE),
        ]),
        purpose in prop::option::of(prop_oneof![Just(oid::SERVER_AUTH), Just(oid::CLIENT_AUTH)]),
        ca in prop::option::weighted(0.3, any::<bool>()),
        path_len in prop::option::of(0u32..3),
        key_id in prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 0..40)),
    ) -> Request {
        let mut request = Request::new(subject, bytes.unwrap_or_else(|| keys()[key].clone()));
        request.names = names;
        (request.not_before, request.not_after) = (not_before, not_after);
        request.key_id = key_id;
        request.wished.key_usage = usage;
        request.wished.purposes = purpose.into_iter().map(Into::into).collect();
        request.wished.basic_constraints = ca.map(|ca| BasicConstraints {
            ca,
            path_len: path_len.filter(|_| ca),
        });
        request
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn what_is_planned_is_valid(
        request in request(),
        kind in prop::sample::select(ProfileKind::all().to_vec()),
        wild in any::<bool>(),
    ) {
        let ca = authority();
        let mut profile = kind.profile();
        if wild {
            // So that more gets through to be judged.
            use skms_pki::certificate::Form;
            profile.names.forms = vec![Form::Dns, Form::Email, Form::Uri, Form::Ip, Form::Directory];
            profile.names.required.clear();
            profile.names.uri_schemes = None;
        }
        match profile.plan(&ca.authority, &request, serial(), NOW) {
            Ok(planned) => {
                let mut chain = vec![sign(&planned, &ca.key)];
                chain.extend(ca.authority.chain.clone());
                let read = Certificate::from_der(&chain[0]).unwrap();
                let at = planned.not_before().max(NOW);
                prop_assert_eq!(accepted(&chain, &Options::new(at)), Ok(()));
                prop_assert_eq!(read.is_ca(), profile.authority.is_some());
                prop_assert_eq!(read.public_key().der, &request.spki[..]);
                let issuing = lint::Issuing { shape: profile.shape, now: Some(NOW) };
                prop_assert_eq!(lint::certificate(&chain[0], &issuing), vec![]);
            }
            Err(IssueError::Refused(all)) => prop_assert!(!all.is_empty()),
            // Bytes that are no key, and times that have no encoding, are refused
            // before anything is written.
            Err(other) => {
                // So are forms that were let in beyond what the Forum knows.
                let beyond = wild && kind == ProfileKind::TlsServerWeb;
                let fine = matches!(other, IssueError::Unfit(_))
                    && (request.key_id.is_some() || beyond);
                prop_assert!(fine, "{}", other);
            }
        }
    }
}
