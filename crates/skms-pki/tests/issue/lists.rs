//! Revocation lists that we made, as our own validation takes them.

use skms_crypto::{Algorithm, Message};
use skms_pki::crl::Reason;
use skms_pki::issue::{
    Contents, DAY, Demand, IssueError, List, ListEntry, Profile, ProfileKind, Published, Serial,
};
use skms_pki::path::{Revocation, RevocationMode, Rule, validate};
use skms_pki::{Certificate, Crl, Evidence, Moment, Options};

use crate::support::{Ca, NOW, good_request, key, spki};

fn number(value: u16) -> Serial {
    let [high, low] = value.to_be_bytes();
    Serial::from_contents(&[1, high, low]).unwrap()
}

fn entry(serial: Serial, reason: Option<Reason>) -> ListEntry {
    ListEntry {
        serial,
        date: Moment(NOW.0 - 60),
        reason,
        invalidity: None,
    }
}

fn complete() -> List {
    List::complete(7, NOW, Moment(NOW.0 + 7 * DAY))
}

fn signed(ca: &Ca, list: &List, entries: &[ListEntry]) -> Vec<u8> {
    let planned = list.plan(&ca.authority, entries.iter().copied()).unwrap();
    assert_eq!(planned.count(), entries.len() as u64);
    let options = planned.scheme().sign_options();
    let signature = ca.key.sign(Message::Raw(planned.tbs()), &options).unwrap();
    planned.signed(&signature).unwrap()
}

#[test]
fn every_entry_is_read_back() {
    let ca = Ca::root(Algorithm::EcP256);
    let reasons = [
        None,
        Some(Reason::KeyCompromise),
        Some(Reason::CaCompromise),
        Some(Reason::AffiliationChanged),
        Some(Reason::Superseded),
        Some(Reason::CessationOfOperation),
        Some(Reason::CertificateHold),
        Some(Reason::PrivilegeWithdrawn),
        Some(Reason::AaCompromise),
    ];
    // From none to enough for a length of three bytes.
    for count in [0u16, 1, 2, 3, 5, 2_500] {
        let entries: Vec<ListEntry> = (0..count)
            .map(|index| ListEntry {
                invalidity: (index % 2 == 1).then_some(Moment(NOW.0 - 9_999)),
                ..entry(number(index), reasons[usize::from(index) % reasons.len()])
            })
            .collect();
        let der = signed(&ca, &complete(), &entries);
        let list = Crl::from_der(&der).unwrap();
        let found: Vec<_> = list.entries().collect();
        assert_eq!(found.len(), entries.len());
        for (found, wanted) in found.iter().zip(&entries) {
            assert_eq!(found.serial, wanted.serial.as_bytes());
            assert_eq!(found.date, wanted.date);
            assert_eq!(found.reason, wanted.reason);
        }
        assert_eq!(list.extensions().number, Some(&[7][..]));
        assert_eq!(list.this_update(), NOW);
        assert!(!list.is_delta());
    }
    // The one that says nothing is not written.
    let der = signed(
        &ca,
        &complete(),
        &[entry(number(1), Some(Reason::Unspecified))],
    );
    let list = Crl::from_der(&der).unwrap();
    assert_eq!(list.entries().next().unwrap().reason, None);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let ca = Ca::root(Algorithm::EcP256);
    let plan = |change: fn(&mut List), entries: &[ListEntry]| {
        let mut list = complete();
        change(&mut list);
        list.plan(&ca.authority, entries.iter().copied())
    };
    let (one, two) = (entry(number(1), None), entry(number(2), None));
    assert!(plan(|_| {}, &[one, two]).is_ok());
    assert!(plan(|_| {}, &[two, one]).is_err());
    assert!(plan(|_| {}, &[one, one]).is_err());
    let removed = entry(number(3), Some(Reason::RemoveFromCrl));
    assert!(plan(|_| {}, &[removed]).is_err());
    assert!(plan(|list| list.base = Some(6), &[removed]).is_ok());
    assert!(plan(|list| list.base = Some(7), &[]).is_err());
    assert!(plan(|list| list.next_update = list.this_update, &[]).is_err());
    let freshest = |list: &mut List| list.freshest = vec!["http://a.example/d".to_owned()];
    assert!(plan(freshest, &[]).is_ok());
    assert!(
        plan(
            |list| {
                list.freshest = vec!["http://a.example/d".to_owned()];
                list.base = Some(1);
            },
            &[]
        )
        .is_err()
    );
    assert!(plan(|list| list.this_update = Moment(NOW.0 - DAY), &[]).is_err());
}

#[test]
fn only_an_authority_with_crl_sign_signs_lists() {
    use skms_pki::certificate::KeyUsage;
    let root = Ca::root(Algorithm::EcP256);
    let mut profile: Profile = ProfileKind::Intermediate.profile();
    profile.usage.key_usage = KeyUsage::KEY_CERT_SIGN;
    let ca = root.below(&profile, Algorithm::EcP256);
    let refused = complete().plan(&ca.authority, []).unwrap_err();
    assert_eq!(refused.demands(), [Demand::Authority]);
    let mut none = root.authority.clone();
    none.chain.clear();
    assert!(complete().plan(&none, []).is_err());
}

#[test]
fn a_wrong_signature_gives_no_list() {
    let ca = Ca::root(Algorithm::EcP256);
    let other = Ca::root(Algorithm::EcP256);
    let planned = complete().plan(&ca.authority, []).unwrap();
    let options = planned.scheme().sign_options();
    let signature = other
        .key
        .sign(Message::Raw(planned.tbs()), &options)
        .unwrap();
    let refused = planned.signed(&signature);
    assert!(matches!(refused, Err(IssueError::Signature(_))));
}

/// What our validation says about a leaf below a root, by these lists.
fn verdict(ca: &Ca, leaf: &[u8], lists: &[Vec<u8>]) -> Result<(), Rule> {
    let root = [Certificate::from_der(&ca.authority.chain[0]).unwrap()];
    let leaf = Certificate::from_der(leaf).unwrap();
    let lists: Vec<_> = lists
        .iter()
        .map(|der| Crl::from_der(der).unwrap())
        .collect();
    let evidence = Evidence {
        anchors: &root,
        crls: &lists,
        ..Evidence::default()
    };
    let mut options = Options::new(NOW);
    options.revocation = Revocation {
        mode: RevocationMode::Require,
        ..Revocation::default()
    };
    validate(&leaf, &evidence, &options)
        .map(|_| ())
        .map_err(|refusal| refusal.rule())
}

#[test]
fn complete_lists_deltas_and_shards_decide() {
    let mut ca = Ca::root(Algorithm::EcP256);
    let url = "http://pki.example.org/{shard}.crl".to_owned();
    ca.authority.published = Published {
        crls: vec![url],
        deltas: vec!["http://pki.example.org/{shard}.delta".to_owned()],
        shards: 4,
        ..Published::default()
    };
    let request = good_request(ProfileKind::TlsServer, spki(&key(Algorithm::EcP256)));
    let leaf = ca
        .issue(&ProfileKind::TlsServer.profile(), &request)
        .unwrap();
    let serial = Serial::from_contents(Certificate::from_der(&leaf).unwrap().serial()).unwrap();
    let published = ca.authority.published.clone();
    let shard = List {
        point: published.crls_of(&serial),
        freshest: published.deltas_of(&serial),
        contents: Contents::Users,
        ..complete()
    };
    let delta = List {
        number: 8,
        base: Some(7),
        freshest: Vec::new(),
        ..shard.clone()
    };
    let elsewhere = List {
        point: vec!["http://pki.example.org/other.crl".to_owned()],
        ..shard.clone()
    };
    let authorities = List {
        contents: Contents::Authorities,
        ..shard.clone()
    };
    let held = entry(serial, Some(Reason::CertificateHold));
    let gone = entry(serial, Some(Reason::KeyCompromise));
    let removed = entry(serial, Some(Reason::RemoveFromCrl));
    let decide = |lists: &[(&List, &[ListEntry])]| {
        let lists: Vec<_> = lists
            .iter()
            .map(|(list, entries)| signed(&ca, list, entries))
            .collect();
        verdict(&ca, &leaf, &lists)
    };
    assert_eq!(decide(&[(&shard, &[])]), Ok(()));
    assert_eq!(decide(&[(&shard, &[gone])]), Err(Rule::Revoked));
    assert_eq!(decide(&[(&shard, &[held])]), Err(Rule::Held));
    // Without a point of its own the list covers everything.
    assert_eq!(decide(&[(&complete(), &[gone])]), Err(Rule::Revoked));
    // Lists that are not about it say nothing.
    assert_eq!(decide(&[]), Err(Rule::RevocationUnknown));
    assert_eq!(
        decide(&[(&elsewhere, &[gone])]),
        Err(Rule::RevocationUnknown)
    );
    assert_eq!(
        decide(&[(&authorities, &[gone])]),
        Err(Rule::RevocationUnknown)
    );
    // A delta adds and takes back.
    assert_eq!(
        decide(&[(&shard, &[]), (&delta, &[gone])]),
        Err(Rule::Revoked)
    );
    assert_eq!(decide(&[(&shard, &[held]), (&delta, &[removed])]), Ok(()));
    assert_eq!(decide(&[(&delta, &[])]), Err(Rule::RevocationUnknown));
}
