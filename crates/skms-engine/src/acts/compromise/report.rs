//! The report that stands at the end of an incident: what was touched, who used
//! the key, what must be encrypted anew, who must be told.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use skms_crypto::{Hash, Hasher};
use skms_keys::KeyId;
use skms_store::RecordId;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::cascade::Work;
use super::usage::{self, Usage};
use super::{grants, walk};
use crate::acts::reencryption;
use crate::error::{Error, Result};
use crate::lineage::handed;
use crate::places;
use crate::records::group::HolderRecord;
use crate::records::incident::{Counts, Reach, Rotation, Touched};
use crate::records::reencryption::JobRecord;
use crate::signing::{self, Said};

/// The most keys and people that a list names.
const ROWS: usize = 1000;
/// How many of the keys are looked at for what they protect.
const REENCRYPT: usize = 100;

/// A time as RFC 3339 has it.
pub(crate) fn instant(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

#[derive(Clone, Debug, Serialize)]
struct AffectedKey {
    namespace: String,
    keyring: String,
    name: String,
    id: String,
    versions: Vec<u32>,
}

#[derive(Clone, Debug, Serialize)]
struct TouchedList {
    entries: u64,
    /// SHA-256 over the entries as the server lists them, each as a line of
    /// compact JSON.
    sha256: String,
}

/// What a compromised key protects must move to a newer one, under a recovery
/// grant.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reencrypt {
    pub(super) key: String,
    versions: Vec<u32>,
    /// Whether a newer version is there to move it to.
    ready: bool,
    /// Makes one, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotate: Option<String>,
    /// Lets the old versions process meanwhile.
    pub(super) grant: String,
    /// The request for approval that this waits for, where a policy marks it:
    /// made on behalf of who ordered the compromise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approval: Option<String>,
    /// The job that waits for it, of a key that encrypts data.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// Moves what it is given.
    command: String,
    /// What stores that job.
    #[serde(skip)]
    waits: Option<(RecordId, JobRecord)>,
}

#[derive(Clone, Debug, Serialize)]
struct Holder {
    namespace: String,
    name: String,
    key: String,
    version: u32,
    last_fetched_at: String,
}

/// Who was handed secrets that a touched version gave: the ciphertexts and
/// derivations are as good as known, and so are they.
#[derive(Clone, Debug, Serialize)]
struct Recipient {
    namespace: String,
    name: String,
    key: String,
    version: u32,
    what: &'static str,
    count: u64,
    first_at: String,
    last_at: String,
}

#[derive(Clone, Debug, Serialize)]
struct Owner {
    owner: String,
    keys: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Tell {
    /// Who was given a touched version by the key exchange.
    holders: Vec<Holder>,
    /// Who was handed data keys, derived or unwrapped bytes by one.
    recipients: Vec<Recipient>,
    /// Members of groups that share a touched key.
    members: Vec<String>,
    /// Who answers for touched keys.
    owners: Vec<Owner>,
    /// Who was issued certificates that are revoked.
    certified: Vec<String>,
    /// What was left out of these lists.
    more: usize,
}

/// The report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    kind: &'static str,
    version: u32,
    incident: String,
    install: String,
    key: AffectedKey,
    reason: String,
    revocation_reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    effective_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    by: String,
    authentication: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The rule whose act it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    cascade: Reach,
    rotate: Rotation,
    counts: Counts,
    touched: TouchedList,
    uses: Usage,
    reencrypt: Vec<Reencrypt>,
    /// Keys beyond those that `reencrypt` names; the list of what was touched
    /// has them.
    reencrypt_more: u64,
    tell: Tell,
}

impl Report {
    /// How much was touched.
    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }
}

/// Makes the report, signs it, and ends the incident.
pub(super) async fn finish(work: &mut Work<'_>) -> Result<()> {
    work.entry = work.engine.enter(&work.entry.caller)?;
    let now = work.entry.now();
    let mut report = make(work).await?;
    work.ledger.record.counts = report.counts();
    report.finished_at = Some(instant(now.0));
    grants::prepare(work, &mut report.reencrypt).await?;
    let bytes =
        serde_json::to_vec(&report).map_err(|_| Error::Internal("a report does not encode"))?;
    let signed = signing::sign(&work.entry.rooms, Said::Report, &bytes).await?;
    let event = work.event(&[])?;
    let (mut changes, record, done) = work.ledger.end(now.0, signed)?.split();
    // The report names the jobs, so they are there when it is.
    let jobs = report.reencrypt.iter().filter_map(|one| one.waits.as_ref());
    for (id, job) in jobs {
        changes.push(reencryption::put(work.ledger.scope, *id, job, None)?);
    }
    work.commit(changes, event, false).await?;
    work.ledger.committed(record, done);
    Ok(())
}

/// Collects what the lists say while one goes through what was touched.
struct Collected {
    digest: Vec<u8>,
    entries: u64,
    keys: HashSet<String>,
    first: Vec<(KeyId, Vec<u32>)>,
    certified: Vec<String>,
    owners: BTreeMap<String, u64>,
}

/// The report, as things stand.
pub(super) async fn make(work: &Work<'_>) -> Result<Report> {
    let record = &work.ledger.record;
    let collected = collect(work).await?;
    let journal = &*work.entry.rooms.journal;
    let mut dependents = collected.keys.clone();
    dependents.remove(&record.key_id);
    let uses = usage::count(journal, &record.key_id, &dependents, record.since).await?;
    let mut reencrypt = Vec::new();
    for (key, versions) in collected.first.iter().take(REENCRYPT) {
        reencrypt.extend(moved(work, *key, versions).await?);
    }
    let beyond = collected.keys.len().saturating_sub(REENCRYPT);
    let (tell, recipients) = tell(work, &collected).await?;
    Ok(Report {
        kind: Said::Report.name(),
        version: 1,
        incident: work.id().to_string(),
        install: crate::sessions::hex(&work.entry.rooms.store.install()),
        key: AffectedKey {
            namespace: record.namespace.clone(),
            keyring: record.keyring.clone(),
            name: record.key.clone(),
            id: record.key_id.clone(),
            versions: record.versions.clone(),
        },
        reason: record.reason.clone(),
        revocation_reason: record.revocation_reason.clone(),
        since: record.since.map(instant),
        effective_at: instant(record.at),
        finished_at: None,
        by: record.by.clone(),
        authentication: record.authentication.clone(),
        source: record.source.clone(),
        rule: record.by_rule.as_ref().map(|by| by.rule.clone()),
        cascade: record.reach,
        rotate: record.rotation,
        counts: Counts {
            recipients,
            ..record.counts
        },
        touched: TouchedList {
            entries: collected.entries,
            sha256: crate::sessions::hex(&collected.digest),
        },
        uses,
        reencrypt,
        reencrypt_more: beyond as u64,
        tell,
    })
}

async fn collect(work: &Work<'_>) -> Result<Collected> {
    let mut hash = Hasher::new(Hash::Sha256);
    let mut collected = Collected {
        digest: Vec::new(),
        entries: 0,
        keys: HashSet::new(),
        first: Vec::new(),
        certified: Vec::new(),
        owners: BTreeMap::new(),
    };
    let mut number = 0;
    while let Some(page) = work.touched(number).await? {
        number += 1;
        for one in page {
            hash.update(&line(&one)?);
            collected.entries += 1;
            match one.kind.as_str() {
                "key" if one.outcome != "spared" => take(&mut collected, &one),
                "certificate" => collected.certified.extend(one.detail),
                _ => {}
            }
        }
    }
    collected.digest = hash.finish();
    collected.certified.sort_unstable();
    collected.certified.dedup();
    Ok(collected)
}

/// An entry of what was touched, as the digest over all of them takes it.
pub(super) fn line(touched: &Touched) -> Result<Vec<u8>> {
    let mut line =
        serde_json::to_vec(touched).map_err(|_| Error::Internal("an entry does not encode"))?;
    line.push(b'\n');
    Ok(line)
}

fn take(collected: &mut Collected, one: &Touched) {
    let (Ok(id), Some(version)) = (one.id.parse::<KeyId>(), one.version) else {
        return;
    };
    if collected.keys.insert(one.id.clone()) {
        if let Some(owner) = &one.owner {
            *collected.owners.entry(owner.clone()).or_default() += 1;
        }
        if collected.first.len() < REENCRYPT {
            collected.first.push((id, vec![version]));
        }
    } else if let Some((_, versions)) = collected.first.iter_mut().find(|(key, _)| *key == id) {
        versions.push(version);
    }
}

/// What a key protected, as far as it protects data.
async fn moved(work: &Work<'_>, id: KeyId, versions: &[u32]) -> Result<Option<Reencrypt>> {
    use skms_crypto::Use;
    let rooms = &work.entry.rooms;
    let Some((key, _)) = walk::read(rooms, work.ledger.scope, id).await? else {
        return Ok(None);
    };
    if !key.uses.contains(Use::Decrypt) && !key.uses.contains(Use::Unwrap) {
        return Ok(None);
    }
    let at = work.rings.at(&key);
    let name = format!("{}/{}", at.keyring, at.name);
    let encrypts = key.uses.contains(Use::Encrypt) && key.uses.contains(Use::Decrypt);
    let waits = match encrypts && work.dry.is_none() {
        true => {
            let record = &work.ledger.record;
            let job = RecordId::at(work.entry.now_ms)?;
            let place = (at.keyring, at.name, &*key.id.to_string());
            let mut made = reencryption::fresh(job, place, &record.by, work.entry.now().0);
            made.incident = Some(work.id().to_string());
            Some((job, made))
        }
        false => None,
    };
    let job = waits.as_ref().map(|(job, _)| job.to_string());
    let command = match (&job, encrypts) {
        (Some(job), _) => {
            format!("skms key reencrypt {name} --from LIST --to NEW-LIST --complete --job {job}")
        }
        (None, true) => format!("skms key reencrypt {name} --from LIST --to NEW-LIST --complete"),
        // What it wrapped is unwrapped with it and wrapped again.
        (None, false) => format!("skms unwrap {name} FILE | skms wrap {name} -"),
    };
    let (moves, dry) = (!key.newest()?.is_compromised(), work.dry.is_some());
    Ok(Some(Reencrypt {
        ready: moves && !dry,
        rotate: (!moves && !dry).then(|| format!("skms key rotate {name}")),
        grant: format!(
            "skms key grant {name} --for 1d --reason \"incident {}\"",
            work.id()
        ),
        approval: None,
        job,
        command,
        waits,
        key: walk::path(at),
        versions: versions.to_vec(),
    }))
}

/// Who must be told, and how many principals were given a key or secrets by it.
async fn tell(work: &Work<'_>, collected: &Collected) -> Result<(Tell, u64)> {
    let mut given = HashSet::new();
    let (rooms, record) = (&work.entry.rooms, &work.ledger.record);
    let mut holders = Vec::new();
    let mut more = 0;
    for (_, _, holder) in places::all::<HolderRecord>(&rooms.store, work.ledger.scope).await? {
        if !collected.keys.contains(&holder.key) {
            continue;
        }
        given.insert((holder.namespace.clone(), holder.name.clone()));
        if holders.len() == ROWS {
            more += 1;
            continue;
        }
        holders.push(Holder {
            namespace: holder.namespace,
            name: holder.name,
            key: holder.key,
            version: holder.version,
            last_fetched_at: instant(holder.last_at),
        });
    }
    let (recipients, beyond) = recipients(work, collected, &mut given).await?;
    more += beyond;
    let mut members = Vec::new();
    for group in rooms.groups.of(&record.namespace) {
        if collected.keys.contains(&group.record.key_id) {
            let all = group.record.members.iter();
            members.extend(all.map(|one| format!("{}/{}", one.namespace, one.name)));
        }
    }
    members.sort_unstable();
    members.dedup();
    more += members.len().saturating_sub(ROWS);
    members.truncate(ROWS);
    let mut owners: Vec<_> = (collected.owners.iter())
        .map(|(owner, keys)| Owner {
            owner: owner.clone(),
            keys: *keys,
        })
        .collect();
    more += owners.len().saturating_sub(ROWS);
    owners.truncate(ROWS);
    let mut certified = collected.certified.clone();
    more += certified.len().saturating_sub(ROWS);
    certified.truncate(ROWS);
    let tell = Tell {
        holders,
        recipients,
        members,
        owners,
        certified,
        more,
    };
    Ok((tell, given.len() as u64))
}

/// Who was handed secrets, the first of them, and how many there are beyond.
async fn recipients(
    work: &Work<'_>,
    collected: &Collected,
    given: &mut HashSet<(String, String)>,
) -> Result<(Vec<Recipient>, usize)> {
    let (rooms, scope) = (&work.entry.rooms, work.ledger.scope);
    rooms.handed.flush(rooms, scope, work.entry.now().0).await?;
    let (mut found, mut more) = (Vec::new(), 0);
    let keys: Vec<KeyId> = (collected.keys.iter())
        .filter_map(|key| key.parse().ok())
        .collect();
    for some in keys.chunks(ROWS) {
        let any = handed::any_of(rooms, scope, some).await?;
        for key in some
            .iter()
            .zip(any)
            .filter_map(|(key, any)| any.then_some(*key))
        {
            for (_, _, record) in handed::of_key(rooms, scope, key).await? {
                given.insert((record.namespace.clone(), record.name.clone()));
                if found.len() == ROWS {
                    more += 1;
                    continue;
                }
                found.push(Recipient {
                    namespace: record.namespace,
                    name: record.name,
                    key: record.key,
                    version: record.version,
                    what: record.way.word(),
                    count: record.count,
                    first_at: instant(record.first_at),
                    last_at: instant(record.last_at),
                });
            }
        }
    }
    Ok((found, more))
}
