//! The storage beneath: rotation and verification.

use skms_wire::native::seals::{RotateRootResponse, RotateStorageKeyResponse, StorageReport};

use super::{answer::Reply, call::Call, error::Failure};

pub async fn rotate_storage_key(call: Call) -> Result<Reply, Failure> {
    let term = call.engine().rotate_storage_key(call.caller()?).await?;
    // How many records remain is the status's to say, to those who may read
    // it; a caller who may only rotate is told that there may be some.
    let remaining = match call.engine().storage_status(call.caller()?).await {
        Ok(status) => status
            .terms
            .iter()
            .filter(|known| known.term != term)
            .map(|known| known.records)
            .sum(),
        Err(_) => 0,
    };
    Reply::json(&RotateStorageKeyResponse {
        term,
        records_remaining: remaining,
    })
}

pub async fn rotate_root(call: Call) -> Result<Reply, Failure> {
    let status = call.engine().rotate_root(call.caller()?).await?;
    Reply::json(&RotateRootResponse {
        generation: u32::try_from(status.root_version).unwrap_or(u32::MAX),
        seals: u32::try_from(status.seals.len()).unwrap_or(u32::MAX),
    })
}

pub async fn verify(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let verified = call.engine().verify_storage(call.caller()?).await?;
    let mut faults: Vec<String> = verified
        .store
        .faults
        .iter()
        .map(ToString::to_string)
        .collect();
    let journal_entries = match verified.journal {
        Ok(journal) => journal.entries,
        Err(fault) => {
            faults.push(fault);
            0
        }
    };
    Reply::json(&StorageReport {
        intact: faults.is_empty(),
        records: verified.store.total(),
        journal_entries,
        faults,
    })
}
