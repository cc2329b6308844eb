//! Authorities from their records, with the revocations of each.

use std::collections::HashMap;
use std::sync::Arc;

use skms_keys::{NamespaceId, UnixSeconds};
use skms_pki::issue::{self, Serial, SigningScheme};
use skms_store::{RecordId, SealedStore};

use super::{
    Authorities, Authority, Delegate, Issuer, Link, Published, Revocation, Revoked, Rules,
};
use crate::error::{Error, Result};
use crate::places::{self, Places};
use crate::records::authority::{
    AuthorityRecord, AuthorityRulesRecord, IssuerRecord, SigningKeyRecord,
};
use crate::records::certificate::RevocationRecord;
use crate::records::unhex;

fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "authority",
        reason: reason.to_owned(),
    }
}

/// Every authority of every namespace, each with its revocations.
pub(crate) async fn all(store: &SealedStore, places: &Places) -> Result<Authorities> {
    let loaded = Authorities::default();
    for namespace in places.list() {
        let found = places::all::<AuthorityRecord>(store, namespace.id.0).await?;
        if found.is_empty() {
            continue;
        }
        let mut revoked: HashMap<(String, u32), Arc<Revoked>> = HashMap::new();
        for (_, revision, record) in places::all::<RevocationRecord>(store, namespace.id.0).await? {
            let place = (record.authority.clone(), record.issuer);
            let (serial, revocation) = revocation(&record, revision)?;
            revoked.entry(place).or_default().put(serial, revocation);
        }
        for (id, revision, record) in found {
            let known = |number: u32| {
                let revoked = revoked.get(&(id.to_string(), number));
                (revoked.cloned().unwrap_or_default(), Arc::default())
            };
            let name = Arc::from(namespace.name.as_str());
            loaded.put(authority(id, revision, namespace.id, name, record, known)?);
        }
    }
    Ok(loaded)
}

/// What a record says about a certificate.
pub(crate) fn revocation(record: &RevocationRecord, revision: u64) -> Result<(Serial, Revocation)> {
    let contents = unhex(&record.serial).ok_or_else(|| damaged("serial number"))?;
    let serial = Serial::from_contents(&contents)?;
    let reason = record.reason.parse().map_err(|_| damaged("reason"))?;
    let revocation = Revocation {
        reason,
        at: UnixSeconds(record.revoked_at),
        invalid_since: record.invalid_since.map(UnixSeconds),
        released_at: record.released_at.map(UnixSeconds),
        changed_at: UnixSeconds(record.changed_at),
        not_after: UnixSeconds(record.not_after),
        by_keys: record.by_keys.iter().cloned().collect(),
        revision,
    };
    Ok((serial, revocation))
}

/// An authority from its record. `known` gives what is in memory for an issuer
/// of that number already.
pub(crate) fn authority(
    id: RecordId,
    revision: u64,
    namespace: NamespaceId,
    namespace_name: Arc<str>,
    record: AuthorityRecord,
    known: impl Fn(u32) -> (Arc<Revoked>, Arc<Published>),
) -> Result<Authority> {
    let rules = rules(&record.rules)?;
    let base = rules.publish_url.as_deref().map(|url| {
        let url = url.trim_end_matches('/');
        format!("{url}/pki/{namespace_name}/{}", record.name)
    });
    let issuers = record
        .issuers
        .iter()
        .map(|one| {
            let (revoked, published) = known(one.number);
            issuer(one, &rules, base.as_deref(), revoked, published).map(Arc::new)
        })
        .collect::<Result<_>>()?;
    Ok(Authority {
        id,
        namespace,
        namespace_name,
        revision,
        rules,
        issuers,
        record,
    })
}

fn issuer(
    one: &IssuerRecord,
    rules: &Rules,
    base: Option<&str>,
    revoked: Arc<Revoked>,
    published: Arc<Published>,
) -> Result<Issuer> {
    let chain: Vec<Vec<u8>> = std::iter::once(&one.certificate)
        .chain(&one.chain)
        .map(|der| der.0.clone())
        .collect();
    let mut pki = issue::Authority::from_chain(chain, scheme(&one.key)?)?;
    if let Some(base) = base {
        let base = format!("{base}/{}", one.number);
        pki.published = issue::Published {
            ocsp: vec![format!("{base}/ocsp")],
            ca_issuers: vec![format!("{base}/ca.crt")],
            crls: vec![format!("{base}/crl/{{shard}}.crl")],
            deltas: vec![format!("{base}/delta/{{shard}}.crl")],
            shards: rules.crl_shards,
        };
    }
    Ok(Issuer {
        number: one.number,
        links: pki.chain.iter().filter_map(|der| Link::of(der)).collect(),
        key: one.key.clone(),
        pki,
        delegate: one.ocsp.as_ref().map(Delegate::read).transpose()?,
        cross: one.cross.iter().map(|der| der.0.clone()).collect(),
        revoked,
        published,
    })
}

/// How a key signs.
pub(crate) fn scheme(key: &SigningKeyRecord) -> Result<SigningScheme> {
    let algorithm = key.algorithm.parse().map_err(|_| damaged("algorithm"))?;
    SigningScheme::by_name(algorithm, &key.signature).ok_or_else(|| damaged("signature"))
}

fn rules(record: &AuthorityRulesRecord) -> Result<Rules> {
    Ok(Rules {
        profiles: record
            .profiles
            .iter()
            .map(|name| name.parse().map_err(|_| damaged("profile")))
            .collect::<Result<_>>()?,
        max_lifetime_seconds: record.max_lifetime_seconds,
        publish_url: record.publish_url.clone(),
        crl_seconds: record.crl_seconds,
        crl_shards: record.crl_shards,
        ocsp_seconds: record.ocsp_seconds,
        ocsp_signer: record
            .ocsp_signer
            .as_ref()
            .map(|signer| (signer.keyring.clone(), signer.key.clone())),
        ocsp_presign: record.ocsp_presign,
        hold_suspended: record.hold_suspended,
        listener: record.listener,
    })
}

impl AuthorityRulesRecord {
    /// The rules, with the key that was found for `ocsp_signer`.
    pub(crate) fn new(rules: &Rules, ocsp_signer: Option<SigningKeyRecord>) -> Self {
        Self {
            ocsp_signer,
            ocsp_presign: rules.ocsp_presign,
            hold_suspended: rules.hold_suspended,
            profiles: rules
                .profiles
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect(),
            max_lifetime_seconds: rules.max_lifetime_seconds,
            publish_url: rules.publish_url.clone(),
            crl_seconds: rules.crl_seconds,
            crl_shards: rules.crl_shards,
            ocsp_seconds: rules.ocsp_seconds,
            listener: rules.listener,
        }
    }
}
