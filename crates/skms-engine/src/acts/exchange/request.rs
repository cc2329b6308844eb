//! Message 1: who asks for which key; and the answer to it.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial, SecretBytes};
use skms_evidence::DetailKey;
use skms_exchange::{
    Admitted, Agreement, Answer, Distribution, KeyFormat, KeyName, PreActive, Received, Reply,
    Request, Responder, Uses,
};
use skms_keys::{
    Key, KeyId, Keyring, Name, NewKey, Operation, Origin, Rules, UnixSeconds, VersionNumber,
};
use skms_pki::Moment;
use skms_pki::issue::AltName;
use skms_store::{Change, Kind, RecordId};

use super::identity::OwnIdentity;
use super::trust::Anchored;
use super::{Agree, Distribute, Replied, Sender, given, replay};
use crate::acts::create_key::{keyring, new_version, store};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::idempotency::Once;
use crate::opened::{Spend, read_material, take_for};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::der::Der;
use crate::records::exchange::{ExchangeRecord, Waiting};
use crate::sessions::hex;
use crate::target::Target;

impl Engine {
    /// Takes message 1 and gives message 2. `names` are what the server's
    /// certificate is for; a message for another name is refused.
    ///
    /// The walk: the protocol's own checks → the client's session, as at every
    /// other door → the replay entry, durable → policy → message 2, signed → the
    /// key and its event, or the event alone → answer.
    ///
    /// # Errors
    /// [`Error::Exchange`], by its name in docs/exchange.md;
    /// [`Error::Unauthenticated`] for a client that is nobody here;
    /// [`Error::Busy`] while too many others are judged; those of
    /// creating a key and of exporting one.
    pub async fn exchange(
        &self,
        sender: &Sender,
        names: &[AltName],
        message: Vec<u8>,
    ) -> Result<Replied> {
        let rooms = self.rooms()?;
        let own = match self.own_identity(names).await {
            Err(Error::NotFound { .. }) => {
                return Err(Error::KeyForbids(
                    "no authority certifies this server, so that it cannot say who it is: \
                     see `skms init` and docs/tls.md"
                        .into(),
                ));
            }
            other => other?,
        };
        let now = Moment(rooms.clock.now().0);
        // Strangers choose what their certificates cost: as for those that
        // external authorities certified, a few at a time, and nobody waits.
        let place = Arc::clone(&rooms.judging).try_acquire_owned();
        let place = place.map_err(|_| Error::Busy)?;
        let (by, known) = (Arc::clone(&own), Anchored::of(&rooms, &message));
        let received = self.slow().run(move || {
            let _place = place;
            let responder = Responder::new(by.names.clone());
            known.receive(&responder, &message, &by.identity, now)
        });
        let received = match received.await? {
            Ok(received) => received,
            Err(why) => return self.refuse_exchange(sender, why).await,
        };
        let entry = self.let_in(sender, &received).await?;
        let seen = replay::record(&rooms, received.replay_entry()).await?;
        let admitted = match received.admit(seen) {
            Ok(admitted) => admitted,
            Err(why) => return self.refuse_exchange(sender, why).await,
        };
        // Now that it is not somebody else's copy of it.
        let session = &entry.caller.session;
        self.within_rate(&entry.caller, self.admit_exchange(session))
            .await?;
        let message = match admitted.request() {
            Request::Agreement(wanted) => {
                let wanted = wanted.clone();
                self.agree_on(&entry, &own, admitted, wanted).await?
            }
            Request::Distribution(wanted) => {
                let wanted = wanted.clone();
                self.distribute(&entry, &own, admitted, wanted).await?
            }
        };
        let lists = own.lists(&rooms);
        Ok(Replied { message, lists })
    }

    /// The client at the gate: as whom the key's namespace knows it, or else
    /// the root namespace.
    async fn let_in(&self, sender: &Sender, received: &Received) -> Result<Entry> {
        let namespace = &received.request().key().namespace;
        let path = received.client().path();
        let session = self.authenticate_certificate(path, namespace).await;
        let whom = match &session {
            Err(Error::Unauthenticated | Error::CertificateRefused { .. }) => Some(None),
            Err(Error::PrincipalSuspended { namespace, name }) => {
                Some(Some((namespace.as_str(), name.as_str())))
            }
            _ => None,
        };
        if let Some(whom) = whom {
            let why = whom.and(session.as_ref().err()).map(Error::to_string);
            let refused = ("certificate", whom, why.as_deref());
            self.record_refused_credential(refused, sender.source, &sender.request_id)
                .await?;
        }
        let caller = Arc::new(Caller {
            session: session?,
            source: sender.source,
            request_id: sender.request_id.clone(),
            tls: sender.tls,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        });
        self.within_rate(&caller, self.may_exchange(&caller.session))
            .await?;
        self.enter(&caller)
    }

    /// Leaves the event of one who is over a rate.
    async fn within_rate(&self, caller: &Caller, verdict: Result<()>) -> Result<()> {
        if verdict.is_err() {
            self.record_limited(caller).await?;
        }
        verdict
    }

    /// A new key, pre-activation until message 3.
    async fn agree_on(
        &self,
        entry: &Entry,
        own: &Arc<OwnIdentity>,
        admitted: Admitted,
        wanted: Agreement,
    ) -> Result<Vec<u8>> {
        let at = place(&wanted.key);
        let shared = entry.rooms.share_changes().await;
        let owner = entry.caller.session.principal.id().to_owned();
        let tags = std::collections::BTreeMap::new();
        let algorithm = wanted.algorithm.parse::<Algorithm>();
        let named = algorithm.as_ref().map_or("", |known| known.name());
        let target = Target::new_key(at, named, &owner, false, &tags);
        let allowed = entry.authorize::<Agree>(target).await?;
        let made = async {
            let ring = keyring(entry, at)?;
            let Once::First(claim) = entry
                .once::<records::key::KeyRecord>(ring.namespace.0)
                .await?
            else {
                return Err(Error::Internal("an exchange under an idempotency key"));
            };
            let id = KeyId(RecordId::at(entry.now_ms)?.0);
            let planned = Planned::of(&wanted, algorithm?, &ring)?;
            let rules = planned.rules(entry.now());
            let answer = planned.answer(id, &rules, entry.now());
            let certificate = Der(admitted.client().certificate().to_vec());
            let above = admitted.client().path().iter().skip(1);
            let above = above.map(|der| Der(der.clone())).collect();
            let now = Moment(entry.now().0);
            // At once: every suite that is accepted is fast, and whoever changes
            // a keyring or a policy is not to wait for the pool's queue.
            let Reply { message, agreed } = reply(own, admitted, &answer, now)?;
            let agreed = agreed.ok_or(Error::Internal("an agreement without a key"))?;
            let PreActive { key, waiting, .. } = agreed;
            let algorithm = planned.algorithm;
            let material = KeyMaterial::import(key.expose(), Format::Raw, Some(algorithm), None)?;
            let until = UnixSeconds(waiting.until().0);
            let new = NewKey {
                id,
                namespace: ring.namespace,
                keyring: ring.id,
                name: Name::new(at.name)?,
                algorithm,
                uses: planned.uses,
                owner,
                tags,
                // It leaves with nobody but the client, who has it.
                exportable: false,
                rules,
                first: new_version(&material, Origin::Imported, Some(entry.now().plus(1)))?,
            };
            let (key, mut steps) = Key::create(new, entry.now())?;
            let (key, more) = key.await_confirmation(VersionNumber::FIRST, until, entry.now())?;
            steps.extend(more);
            let record = ExchangeRecord {
                ends_at: until.0,
                namespace: at.namespace.to_owned(),
                keyring: at.keyring.to_owned(),
                key: at.name.to_owned(),
                id: id.to_string(),
                certificate,
                above,
                server: own.chain().iter().cloned().map(Der).collect(),
                waiting: Waiting(waiting.to_record()),
            };
            let waits = Change::Put {
                namespace: SYSTEM_SCOPE,
                kind: Kind::Exchange,
                id: RecordId::random()?,
                name: Some(hex(waiting.exchange())),
                expected: None,
                plaintext: records::encode(&record)?,
            };
            let described = (key, steps);
            let batch = (shared, claim, vec![waits]);
            store(entry, &allowed, at, described, material, batch).await?;
            Ok(message)
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }

    /// A key that there is, sealed to the client.
    async fn distribute(
        &self,
        entry: &Entry,
        own: &Arc<OwnIdentity>,
        admitted: Admitted,
        wanted: Distribution,
    ) -> Result<Vec<u8>> {
        let (allowed, membership) = entry
            .authorize_key_as_member::<Distribute>(place(&wanted.key))
            .await?;
        let taken = async {
            let version = wanted.version.map(u32::try_from).transpose();
            let version = version.map_err(|_| Error::NotFound {
                what: "version of the key",
            })?;
            let version = version.map(VersionNumber);
            take_for(entry, &allowed, Operation::Export, version, Spend::ONE_USE).await
        };
        let taken = taken.await;
        let in_use = entry.failed_key(&allowed, taken).await?;
        let membership = membership.as_ref();
        entry
            .still_a_member(&allowed, membership, in_use.version())
            .await?;
        let sealed = async {
            let snapshot = allowed.target().snapshot();
            let key = snapshot.key();
            let material = read_material(&entry.rooms, key, in_use.version()).await?;
            let algorithm = material.algorithm();
            let given = Given {
                id: key.id.to_string(),
                version: in_use.version(),
                algorithm,
                uses: words(key.uses)?,
                lifetime_seconds: (key.rules.expires_at)
                    .map(|end| end.since(entry.now()))
                    .filter(|seconds| *seconds > 0),
            };
            let now = Moment(entry.now().0);
            let by = Arc::clone(own);
            let work = move || {
                let (format, raw) = match algorithm.is_symmetric() {
                    true => (KeyFormat::Raw, Format::Raw),
                    false => (KeyFormat::Pkcs8, Format::Pkcs8Der),
                };
                let bytes = material.export(raw, None)?;
                let answer = given.answer(format, &bytes);
                reply(&by, admitted, &answer, now)
            };
            let reply = self.slow().run(work).await??;
            // It may have waited long: what was revoked meanwhile counts.
            entry.caller.session.check(entry.rooms.clock.now())?;
            if !in_use.still_live() {
                return Err(in_use.refusal(Operation::Export));
            }
            Ok(reply.message)
        };
        let sealed = sealed.await;
        let message = entry.failed_key(&allowed, sealed).await?;
        let fingerprint = hex(&skms_crypto::hash::sha256(&[&message]));
        let event = given::event(entry, &allowed, membership, &in_use)?
            .detail(DetailKey::Exchange, fingerprint.as_str());
        let said = (event, fingerprint);
        given::record(entry, &allowed, membership, &in_use, said).await?;
        Ok(message)
    }
}

/// Message 2, signed by the server's identity key.
fn reply(own: &OwnIdentity, admitted: Admitted, answer: &Answer<'_>, now: Moment) -> Result<Reply> {
    let unsigned = admitted.answer(answer, now, &mut skms_crypto::rand::fill)?;
    let signature = own.sign(unsigned.tbs(), unsigned.scheme())?;
    Ok(unsigned.signed(&signature)?)
}

pub(super) fn place(key: &KeyName) -> KeyRef<'_> {
    KeyRef {
        namespace: &key.namespace,
        keyring: &key.keyring,
        name: &key.name,
    }
}

/// What is to be agreed upon.
pub(super) struct Planned {
    pub(super) algorithm: Algorithm,
    /// Bytes.
    pub(super) length: usize,
    pub(super) uses: skms_crypto::Uses,
    pub(super) words: Uses,
    lifetime_seconds: Option<u64>,
    rules: Rules,
}

impl Planned {
    pub(super) fn of(wanted: &Agreement, algorithm: Algorithm, ring: &Keyring) -> Result<Self> {
        let length = algorithm.row().key_bytes.ok_or_else(|| {
            Error::Invalid(
                "a key for a symmetric algorithm can be agreed upon, and no other".into(),
            )
        })?;
        let uses = match wanted.uses.is_empty() {
            true => ring.defaults.uses_for(algorithm),
            false => {
                let names: Vec<String> = wanted.uses.iter().map(str::to_owned).collect();
                records::uses_from(&names)
                    .ok_or_else(|| Error::Invalid("a use of keys that is not known".into()))?
            }
        };
        skms_crypto::fips::ensure_uses(algorithm, uses)?;
        Ok(Self {
            algorithm,
            length,
            uses,
            words: words(uses)?,
            lifetime_seconds: wanted.lifetime_seconds,
            rules: ring.defaults.rules,
        })
    }

    /// What is said about the key: its end as it is by the keyring's rules too.
    fn answer(&self, id: KeyId, rules: &Rules, now: UnixSeconds) -> Answer<'static> {
        let left = rules.expires_at.map(|end| end.since(now));
        Answer::Agreement {
            id: id.to_string(),
            version: VersionNumber::FIRST.0.into(),
            length: self.length,
            uses: self.words.clone(),
            lifetime_seconds: left.filter(|seconds| *seconds > 0),
        }
    }

    /// The keyring's rules, ending when the client asked for it.
    pub(super) fn rules(&self, now: UnixSeconds) -> Rules {
        let asked = self.lifetime_seconds.map(|seconds| now.plus(seconds));
        let ends = [asked, self.rules.expires_at].into_iter().flatten().min();
        Rules {
            expires_at: ends,
            ..self.rules
        }
    }
}

/// What is said about a key that is handed out.
struct Given {
    id: String,
    version: VersionNumber,
    algorithm: Algorithm,
    uses: Uses,
    lifetime_seconds: Option<u64>,
}

impl Given {
    fn answer(self, format: KeyFormat, key: &SecretBytes) -> Answer<'_> {
        Answer::Distribution {
            id: self.id,
            version: self.version.0.into(),
            algorithm: self.algorithm.name().to_owned(),
            uses: self.uses,
            lifetime_seconds: self.lifetime_seconds,
            format,
            key,
        }
    }
}

fn words(uses: skms_crypto::Uses) -> Result<Uses> {
    let names = records::uses_names(uses);
    Ok(Uses::new(names.iter().map(String::as_str))?)
}
