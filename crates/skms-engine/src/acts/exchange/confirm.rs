//! Message 3: the client has the key, and saw the exchange as the server did.

use std::sync::Arc;

use skms_exchange::{AwaitingConfirmation, Error as Refusal};
use skms_keys::VersionNumber;
use skms_pki::Moment;
use skms_store::{Change, Kind};

use super::{Confirm, Confirmed, Sender};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::exchange::ExchangeRecord;
use crate::sessions::hex;

impl Engine {
    /// Takes message 3 and brings the agreed key into use, once.
    ///
    /// # Errors
    /// [`Error::Exchange`], by its name in docs/exchange.md: `transcript` for a
    /// message that nothing waits for; [`Error::Unauthenticated`] for a client
    /// whose certificate counts no more; [`Error::Forbidden`] where policy has
    /// changed.
    pub async fn confirm_exchange(&self, sender: &Sender, message: &[u8]) -> Result<Confirmed> {
        let rooms = self.rooms()?;
        let digest = match AwaitingConfirmation::exchange_of(message) {
            Ok(digest) => digest,
            Err(why) => return self.refuse_exchange(sender, why).await,
        };
        let found = rooms
            .store
            .find(SYSTEM_SCOPE, Kind::Exchange, &hex(&digest))
            .await?;
        let Some(stored) = found else {
            return self.refuse_exchange(sender, Refusal::Transcript).await;
        };
        let record: ExchangeRecord = records::decode(stored.plaintext.expose())?;
        let waiting = AwaitingConfirmation::from_record(record.waiting.0.expose())?;
        if let Err(why) = waiting.receive(message, Moment(rooms.clock.now().0)) {
            return self.refuse_exchange(sender, why).await;
        }
        let namespace = &record.namespace;
        let above = record.above.into_iter().map(|der| der.0);
        let shown: Vec<Vec<u8>> = [record.certificate.0].into_iter().chain(above).collect();
        let session = self.authenticate_certificate(&shown, namespace);
        let caller = Arc::new(Caller {
            session: session.await?,
            source: sender.source,
            request_id: sender.request_id.clone(),
            tls: sender.tls,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        });
        let entry = self.enter(&caller)?;
        let at = KeyRef {
            namespace,
            keyring: &record.keyring,
            name: &record.key,
        };
        let allowed = entry.authorize_key::<Confirm>(at).await?;
        if allowed.target().snapshot().key().id.to_string() != record.id {
            return self.refuse_exchange(sender, Refusal::Transcript).await;
        }
        let done = Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Exchange,
            id: stored.id,
            expected: stored.revision,
        };
        let with = With {
            also: vec![done],
            ..With::default()
        };
        let confirmed = entry.change_key(&allowed, with, |key, now| {
            caller.session.check(now)?;
            Ok(key.confirm(VersionNumber::FIRST, now)?)
        });
        match confirmed.await {
            Ok(key) => Ok(Confirmed { key }),
            // The same message, at the same moment.
            Err(Error::Conflict) => self.refuse_exchange(sender, Refusal::Transcript).await,
            Err(other) => Err(other),
        }
    }
}
