//! Weak and known keys: kept out where they come in, found where they are.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod rsa;

use common::{House, at};
use dashu_int::UBig;
use skms_crypto::{Algorithm, Format, KeyMaterial, Message, OpenKey, SecretBytes};
use skms_engine::acts::authorities::{self, Extent, Foundation, NewAuthority};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_engine::acts::ssh;
use skms_engine::acts::weak::{Noted, SubjectKind};
use skms_engine::{Error, Page, Result};
use skms_evidence::Outcome;
use skms_keys::{Legacy, Rules};
use skms_pki::issue::{ProfileKind, Request, SigningScheme};
use skms_pki::ssh::{Asked, CertificateType, Role};
use skms_weak::blocklist::{Scheme, spki_hashes};
use skms_weak::{Blocklist, Detector, Gravity};

async fn import(
    house: &House,
    name: &str,
    (bytes, format): (Vec<u8>, Format),
    algorithm: Option<Algorithm>,
    lenient: bool,
) -> Result<()> {
    let spec = NewKeySpec {
        algorithm,
        rules: lenient.then(|| Rules {
            legacy: Legacy {
                weak_material: true,
                ..Legacy::default()
            },
            ..Rules::default()
        }),
        ..NewKeySpec::default()
    };
    let incoming = Incoming {
        bytes: SecretBytes::new(bytes),
        format,
        passphrase: None,
        wrapped_with: None,
    };
    let engine = &house.engine;
    let made = engine.import_key(&house.root, at(name), spec, incoming);
    made.await.map(drop)
}

async fn raw(house: &House, name: &str, bytes: &[u8], of: Algorithm, lenient: bool) -> Result<()> {
    import(
        house,
        name,
        (bytes.to_vec(), Format::Raw),
        Some(of),
        lenient,
    )
    .await
}

/// What was found, once everything that waits is on record.
async fn found(house: &House) -> Vec<Noted> {
    house.engine.note_weak_keys().await.unwrap();
    let page = Page::new(1000, None).unwrap();
    let listed = house.engine.list_weak_findings(&house.root, "root", &page);
    listed.await.unwrap().0
}

fn refused_by(result: Result<()>, detector: Detector) {
    match result {
        Err(Error::WeakKey(words)) => {
            assert!(words.contains(&format!("({})", detector.name())), "{words}");
        }
        other => panic!("{other:?}"),
    }
}

/// What the log says an action came to, the newest first.
async fn outcomes(house: &House, action: &str) -> Vec<Outcome> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let read = house.engine.read_events(&house.root, "root", from, 1000);
        let (some, next) = read.await.unwrap();
        // Reading leaves an event, too: an empty page never comes.
        let last = some.len() < 1000;
        all.extend(some.into_iter().map(|recorded| recorded.event));
        if last {
            break;
        }
        from = next;
    }
    let of = all
        .into_iter()
        .rev()
        .filter(|one| one.action.as_str() == action);
    of.map(|one| one.outcome).collect()
}

#[tokio::test]
async fn a_secret_that_nobody_drew_is_let_in_with_a_permission_only() {
    let house = House::new().await;
    let aes = Algorithm::Aes256Gcm;
    let typed = b"correct horse battery staple!!!!";
    refused_by(
        raw(&house, "typed", typed, aes, false).await,
        Detector::LowEntropy,
    );
    let told = outcomes(&house, "key.import").await;
    let reason = told[0].reason().unwrap().to_string();
    assert!(reason.contains("lowentropy"), "{reason}");
    assert!(!reason.contains("horse"), "{reason}");
    let mut told = house.engine.watch_weak_keys().unwrap();
    raw(&house, "typed", typed, aes, true).await.unwrap();
    let all = found(&house).await;
    assert_eq!(told.try_recv().unwrap().id, all[0].id);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].detector, Detector::LowEntropy);
    assert_eq!(
        (all[0].kind, all[0].gravity),
        (SubjectKind::Key, Gravity::Weak)
    );
    assert_eq!((&*all[0].name, &*all[0].public_key), ("default/typed", ""));
    // Once only, whoever looks.
    house.engine.sweep_weak_keys().await.unwrap();
    assert_eq!(found(&house).await.len(), 1);
    assert_eq!(outcomes(&house, "weak.find").await.len(), 1);

    let drawn = KeyMaterial::generate(aes).unwrap().to_record();
    raw(&house, "drawn", drawn.expose(), aes, false)
        .await
        .unwrap();
    assert_eq!(found(&house).await.len(), 1);
}

#[tokio::test]
async fn seeds_and_scalars_are_looked_at() {
    let house = House::new().await;
    let half = KeyMaterial::generate(Algorithm::Aes256Gcm)
        .unwrap()
        .to_record();
    let half = half.expose();
    let mut lower = [0; 32];
    lower[31] = 200;
    let cases: [(&str, Algorithm, Vec<u8>); 5] = [
        ("kem-twice", Algorithm::MlKem768, [half, half].concat()),
        ("kem-half", Algorithm::MlKem768, [half, &[9; 32]].concat()),
        ("dsa", Algorithm::MlDsa65, (0..32).collect()),
        ("ed", Algorithm::Ed25519, vec![0x42; 32]),
        ("hmac", Algorithm::HmacSha256, vec![0; 32]),
    ];
    for (name, algorithm, bytes) in cases {
        let done = raw(&house, name, &bytes, algorithm, false).await;
        refused_by(done, Detector::LowEntropy);
    }
    // A private key that everybody can try is no matter of permission.
    for lenient in [false, true] {
        let done = raw(&house, "scalar", &lower, Algorithm::EcP256, lenient).await;
        let Err(Error::WeakKey(words)) = &done else {
            panic!("{done:?}");
        };
        assert_eq!(words.contains("(lowentropy)"), !lenient, "{words}");
        refused_by(done, Detector::SmallScalar);
    }
    for algorithm in [
        Algorithm::MlKem768,
        Algorithm::MlDsa65,
        Algorithm::Ed25519,
        Algorithm::X25519,
        Algorithm::EcP384,
        Algorithm::SlhDsaSha2_128f,
    ] {
        let bytes = KeyMaterial::generate(algorithm).unwrap();
        let bytes = bytes.export(Format::Raw, None).unwrap();
        let name = algorithm.name().to_lowercase();
        let done = raw(&house, &name, bytes.expose(), algorithm, false).await;
        done.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
    }
    assert!(found(&house).await.is_empty());
}

#[tokio::test]
async fn rsa_keys_that_nothing_lets_in_are_named_by_their_detector() {
    let house = House::new().await;
    let [p, q] = rsa::primes();
    // Only just not the same, and so found by Fermat's method.
    let near = &p + UBig::from(2_u8);
    let small = UBig::from(65_537_u32 - 16);
    let mersenne = (UBig::ONE << 521) - UBig::ONE;
    for (name, p, q, detector, cause) in [
        ("near", &p, &near, Detector::Fermat, "too near each other"),
        (
            "short",
            &p,
            &mersenne,
            Detector::RsaWarnings,
            "under 2048 bits",
        ),
        (
            "tiny",
            &p,
            &small,
            Detector::SmallFactors,
            "under 2048 bits",
        ),
    ] {
        let der = rsa::private(p, q);
        for (bytes, format) in [
            (der.clone(), Format::Pkcs1Der),
            (rsa::pkcs8_pem(&der), Format::Auto),
            (rsa::jwk(&der), Format::Jwk),
        ] {
            for lenient in [false, true] {
                let done = import(&house, name, (bytes.clone(), format), None, lenient).await;
                let Err(Error::WeakKey(words)) = &done else {
                    panic!("{name} {format}: {done:?}");
                };
                assert!(words.contains(cause), "{name} {format}: {words}");
                refused_by(done, detector);
            }
        }
    }
    // What no detector has a word for is refused as before.
    let good = rsa::private(&p, &q);
    let mut odd = good.clone();
    let last = odd.len() - 1;
    odd[last] ^= 2;
    let done = import(&house, "odd", (odd, Format::Pkcs1Der), None, false).await;
    assert!(matches!(done, Err(Error::Crypto(_))), "{done:?}");
    assert!(found(&house).await.is_empty());
}

#[tokio::test]
async fn a_key_that_shares_a_factor_is_kept_out_and_gives_the_other_away() {
    let house = House::new().await;
    let ([p, q], [r, s]) = (rsa::primes(), rsa::primes());
    let der = |p: &UBig, q: &UBig| (rsa::private(p, q), Format::Pkcs1Der);
    import(&house, "first", der(&p, &q), None, false)
        .await
        .unwrap();
    import(&house, "other", der(&r, &s), None, false)
        .await
        .unwrap();
    assert!(found(&house).await.is_empty());
    // The same key again is no relative of itself.
    import(&house, "twice", der(&p, &q), None, false)
        .await
        .unwrap();
    assert!(found(&house).await.is_empty());
    for lenient in [false, true] {
        let done = import(&house, "related", der(&p, &r), None, lenient).await;
        refused_by(done, Detector::SharedFactor);
    }
    let mut names: Vec<_> = found(&house)
        .await
        .into_iter()
        .map(|one| one.name)
        .collect();
    names.sort();
    assert_eq!(names, ["default/first", "default/other", "default/twice"]);
    // After a restart the sweep knows the moduli again.
    let house = house.restart().await;
    house.engine.sweep_weak_keys().await.unwrap();
    let done = import(&house, "related", der(&q, &s), None, false).await;
    refused_by(done, Detector::SharedFactor);
    assert_eq!(found(&house).await.len(), 3);
}

/// An authority of SSH certificates, `users`, with the role `ops`.
async fn ssh_authority(house: &House) {
    house.create("users", Algorithm::Ed25519).await;
    let (engine, root) = (&house.engine, &house.root);
    let new = ssh::NewAuthority {
        name: "users".into(),
        certificate_type: CertificateType::User,
        keyring: "default".into(),
        key: "users".into(),
        signature: None,
    };
    engine
        .create_ssh_authority(root, "root", new)
        .await
        .unwrap();
    let role = |_| Role {
        principals: vec!["alice".to_owned()],
        default_principals: vec!["alice".to_owned()],
        ..Role::default()
    };
    engine
        .write_ssh_role(root, ("root", "users", "ops"), role)
        .await
        .unwrap();
}

/// Has that authority sign a key with this modulus.
async fn sign(house: &House, n: &UBig) -> Result<()> {
    let new = ssh::NewCertificate {
        public_key: rsa::ssh_line(n),
        asked: Asked::default(),
    };
    let signed = house
        .engine
        .sign_ssh_certificate(&house.root, ("root", "users", "ops"), new);
    signed.await.map(drop)
}

#[tokio::test]
async fn a_multiple_of_somebodys_modulus_says_nothing_of_their_key() {
    let house = House::new().await;
    ssh_authority(&house).await;
    let ([p, q], [r, s]) = (rsa::primes(), rsa::primes());
    let der = (rsa::private(&p, &q), Format::Pkcs1Der);
    import(&house, "theirs", der, None, false).await.unwrap();
    assert!(found(&house).await.is_empty());
    // Anybody can multiply what is public. Nobody knows a factor by that, and the
    // key that was brought is refused all the same.
    let multiple = &p * &q * &r;
    refused_by(sign(&house, &multiple).await, Detector::SharedFactor);
    assert!(found(&house).await.is_empty());
    house.engine.sweep_weak_keys().await.unwrap();
    assert!(found(&house).await.is_empty());
    // Whoever brings a factor does know it.
    refused_by(sign(&house, &(&p * &s)).await, Detector::SharedFactor);
    let names: Vec<_> = found(&house).await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].name, "default/theirs");
}

#[tokio::test]
async fn one_key_in_many_certificates_is_one_modulus() {
    let house = House::new().await;
    ssh_authority(&house).await;
    let [p, q] = rsa::primes();
    let n = &p * &q;
    for _ in 0..40 {
        sign(&house, &n).await.unwrap();
    }
    // A sweep after a restart finds nothing, and all of them when it is time.
    let house = house.restart().await;
    house.engine.sweep_weak_keys().await.unwrap();
    let view = house.engine.weak_sweep(&house.root).await.unwrap();
    assert_eq!((view.looked_at, view.moduli, view.found), (41, 40, 0));
    let [r, _] = rsa::primes();
    refused_by(sign(&house, &(&p * &r)).await, Detector::SharedFactor);
    assert_eq!(found(&house).await.len(), 40);
}

#[tokio::test]
async fn factors_are_found_among_many_stored_keys_at_once() {
    let house = House::new().await;
    ssh_authority(&house).await;
    let sign = async |n: &UBig| sign(&house, n).await;
    // Products of twelve primes, two by two, and one of two others. Nothing is
    // said against any of them by itself.
    let pool: Vec<UBig> = (0..6).flat_map(|_| rsa::primes()).collect();
    let [p, q] = rsa::primes();
    sign(&(p * q)).await.unwrap();
    for (at, one) in pool.iter().enumerate() {
        for other in &pool[at + 1..] {
            sign(&(one * other)).await.unwrap();
        }
    }
    assert!(found(&house).await.is_empty());
    house.engine.sweep_weak_keys().await.unwrap();
    let all = found(&house).await;
    assert_eq!(all.len(), 66);
    let of = |one: &Noted| (one.kind, one.detector);
    let wanted = (SubjectKind::SshCertificate, Detector::SharedFactor);
    assert!(all.iter().all(|one| of(one) == wanted));
    let view = house.engine.weak_sweep(&house.root).await.unwrap();
    assert_eq!((view.looked_at, view.moduli, view.found), (68, 67, 66));
    assert!(!view.running);
    // From now on a relative is kept out at once, and so is a key that shows
    // its factors by itself.
    let fresh = rsa::primes();
    refused_by(sign(&(&pool[0] * &fresh[0])).await, Detector::SharedFactor);
    refused_by(sign(&(&fresh[0] * &fresh[0])).await, Detector::Fermat);
    // A second sweep finds nothing new.
    house.engine.sweep_weak_keys().await.unwrap();
    let view = house.engine.weak_sweep(&house.root).await.unwrap();
    assert_eq!(view.found, 0);
}

/// A request for a certificate of this key.
fn request(material: &KeyMaterial) -> Vec<u8> {
    let spki = material.public_key().unwrap().unwrap();
    let scheme = SigningScheme::for_key(material.algorithm()).unwrap();
    let subject = "CN=www.example.org".parse().unwrap();
    let planned = Request::new(subject, spki.spki_der().to_vec())
        .to_csr(scheme)
        .unwrap();
    let signature = OpenKey::open(material)
        .unwrap()
        .sign(Message::Raw(planned.tbs()), &scheme.sign_options())
        .unwrap();
    planned.signed(&signature).unwrap()
}

async fn authority(house: &House) {
    house.create("ca", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "ca".into(),
        keyring: "default".into(),
        key: "ca".into(),
        subject: "CN=ca".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: authorities::Rules::default(),
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_authority(root, "root", new).await.unwrap();
}

async fn issue(house: &House, material: &KeyMaterial) -> Result<()> {
    let new = NewCertificate {
        profile: ProfileKind::TlsServer.into(),
        key: SubjectKey::Request(request(material)),
        subject: None,
        names: vec!["www.example.org".parse().unwrap()],
        lifetime_seconds: None,
    };
    let (engine, root) = (&house.engine, &house.root);
    let issued = engine.issue_certificate(root, "root", "ca", new);
    issued.await.map(drop)
}

fn hash(material: &KeyMaterial) -> String {
    let public = material.public_key().unwrap().unwrap();
    public
        .fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn a_request_for_a_weak_key_is_refused() {
    let house = House::new().await;
    authority(&house).await;
    let mut scalar = [0; 32];
    scalar[31] = 77;
    let weak = KeyMaterial::import(&scalar, Format::Raw, Some(Algorithm::EcP256), None).unwrap();
    refused_by(issue(&house, &weak).await, Detector::SmallScalar);
    let told = outcomes(&house, "certificate.issue").await;
    assert!(
        told[0]
            .reason()
            .unwrap()
            .to_string()
            .contains("smallscalar")
    );
    let good = KeyMaterial::generate(Algorithm::EcP256).unwrap();
    issue(&house, &good).await.unwrap();
    // An authority by its request comes through the same door.
    let certify = async |material: &KeyMaterial| {
        let (engine, root) = (&house.engine, &house.root);
        let subject = authorities::Subject::Request(request(material));
        let extent = Extent::default();
        let certified = engine.certify_authority(root, "root", "ca", subject, extent);
        certified.await.map(drop)
    };
    refused_by(certify(&weak).await, Detector::SmallScalar);
    certify(&good).await.unwrap();
}

#[tokio::test]
async fn a_list_counts_at_once_and_is_whole_or_not_at_all() {
    let house = House::new().await;
    authority(&house).await;
    let (engine, root) = (&house.engine, &house.root);
    let keys: Vec<KeyMaterial> = [Algorithm::Ed25519, Algorithm::EcP256, Algorithm::EcP384]
        .into_iter()
        .map(|one| KeyMaterial::generate(one).unwrap())
        .collect();
    let bytes = |key: &KeyMaterial| {
        let der = key.export(Format::Pkcs8Der, None).unwrap();
        (der.expose().to_vec(), Format::Pkcs8Der)
    };
    import(&house, "here", bytes(&keys[0]), None, false)
        .await
        .unwrap();
    issue(&house, &keys[1]).await.unwrap();
    house.engine.sweep_weak_keys().await.unwrap();
    assert!(found(&house).await.is_empty());

    let text: String = keys.iter().map(|key| hash(key) + "\n").collect();
    let file = spki_hashes("leaked", &text).unwrap().to_file();
    for cut in [0, 10, file.len() / 2, file.len() - 1] {
        let done = engine.import_blocklist(root, file[..cut].to_vec()).await;
        assert!(matches!(done, Err(Error::Invalid(_))), "{cut}");
        assert!(engine.list_blocklists(root).await.unwrap().is_empty());
    }
    let view = engine.import_blocklist(root, file.clone()).await.unwrap();
    assert_eq!(
        (&*view.name, view.hash, view.entries),
        ("leaked", "spki-sha256", 3)
    );
    // At once, for what comes in; a permission does not help.
    let done = import(&house, "again", bytes(&keys[2]), None, true).await;
    refused_by(done, Detector::Blocklist);
    refused_by(issue(&house, &keys[1]).await, Detector::Blocklist);
    // And for what is here, once it was looked at.
    house.engine.sweep_weak_keys().await.unwrap();
    let all = found(&house).await;
    let of = |kind| all.iter().filter(|one| one.kind == kind).count();
    assert_eq!((of(SubjectKind::Key), of(SubjectKind::Certificate)), (1, 1));

    // It outlasts a restart, and one that is refused leaves it as it is.
    let house = house.restart().await;
    let (engine, root) = (&house.engine, &house.root);
    let mut altered = file.clone();
    *altered.last_mut().unwrap() ^= 1;
    let done = engine.import_blocklist(root, altered).await;
    assert!(matches!(done, Err(Error::Invalid(_))));
    let done = import(&house, "again", bytes(&keys[2]), None, false).await;
    refused_by(done, Detector::Blocklist);
    // Another of the name takes its place.
    let other = Blocklist::new("leaked", Scheme::ModulusSha1, Vec::new(), vec![vec![1; 10]]);
    let file = other.unwrap().to_file();
    engine.import_blocklist(root, file).await.unwrap();
    let lists = engine.list_blocklists(root).await.unwrap();
    assert_eq!((lists.len(), lists[0].entries), (1, 1));
    import(&house, "again", bytes(&keys[2]), None, false)
        .await
        .unwrap();
    engine.remove_blocklist(root, "leaked").await.unwrap();
    let gone = engine.remove_blocklist(root, "leaked").await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    // What was found stays on record.
    assert_eq!(found(&house).await.len(), 2);
}

#[tokio::test]
async fn findings_and_lists_are_for_who_may() {
    let house = House::new().await;
    let (engine, nobody) = (&house.engine, house.caller_in("nobody", &[]).await);
    let page = Page::new(10, None).unwrap();
    let listed = engine.list_weak_findings(&nobody, "root", &page).await;
    assert!(matches!(listed, Err(Error::NotFound { .. })));
    let list = spki_hashes("x", &"ab".repeat(32)).unwrap().to_file();
    let done = engine.import_blocklist(&nobody, list).await;
    assert!(matches!(done, Err(Error::NotFound { .. })));
    assert!(engine.list_blocklists(&nobody).await.is_err());
    assert!(engine.remove_blocklist(&nobody, "x").await.is_err());
    assert!(engine.start_weak_sweep(&nobody).await.is_err());
    assert!(engine.weak_sweep(&nobody).await.is_err());
    assert!(
        engine
            .list_blocklists(&house.root)
            .await
            .unwrap()
            .is_empty()
    );
    let denied = outcomes(&house, "weak.list").await;
    assert!(matches!(denied[0], Outcome::Denied { .. }));
}
