//! The server itself: health, seals, storage, the record.

use skms_wire::native::documents::{DocumentVerdict, VerifyDocumentRequest};
use skms_wire::native::events::EventView;
use skms_wire::native::health::{
    AlgorithmWithdrawal, Algorithms, Health, ServerStatus, WithdrawAlgorithmRequest,
    WithdrawnAlgorithm,
};
use skms_wire::native::operations::{HashRequest, HashResponse, RandomRequest, RandomResponse};
use skms_wire::native::seals::{
    AddSealRequest, AddSealResponse, RotateRootResponse, RotateStorageKeyResponse, SealStatus,
    SealView, StorageReport, UnsealRequest,
};
use skms_wire::native::validation::{CertificateVerdict, ValidateCertificateRequest};

calls! {
    /// Says how the server is.
    json health ["health"] () => Health;
    /// Says how the server is, at length.
    json status ["status"] () => ServerStatus;
    /// The algorithms on offer.
    json algorithms ["algorithms"] () => Algorithms;
    /// A page of the withdrawn algorithms.
    page withdrawn_algorithms ["algorithm-withdrawal-list"] () => WithdrawnAlgorithm;
    /// Withdraws an algorithm.
    json withdraw_algorithm ["algorithm-withdraw"] (algorithm) send WithdrawAlgorithmRequest => AlgorithmWithdrawal;
    /// Takes the withdrawal of an algorithm back.
    nothing readmit_algorithm ["algorithm-readmit"] (algorithm);
    /// Says whether the server is sealed.
    json seal_status ["seal-status"] () => SealStatus;
    /// Gives one passphrase, share or key file.
    json unseal ["unseal"] () send UnsealRequest => SealStatus;
    /// Makes the server forget every key until it is unsealed again.
    json seal ["seal"] () => SealStatus;
    /// A page of the seals.
    page seals ["seal-list"] () => SealView;
    /// Adds a seal.
    json add_seal ["seal-add"] () send AddSealRequest => AddSealResponse;
    /// Removes a seal.
    nothing remove_seal ["seal-remove"] (seal);
    /// Begins a new storage key.
    json rotate_storage_key ["storage-rotate-storage-key"] () => RotateStorageKeyResponse;
    /// Replaces the root key.
    json rotate_root ["storage-rotate-root"] () => RotateRootResponse;
    /// Streams a sealed backup, piece by piece.
    stream backup ["storage-backup"] ();
    /// Checks every record.
    json verify_storage ["storage-verify"] () => StorageReport;
    /// A page of the record of what was done.
    page events ["event-list"] () => EventView;
    /// Counts of what happens, in Prometheus' text form.
    document metrics ["metrics"] ();
    /// The OpenAPI document.
    document openapi ["openapi"] ();
    /// Draws random bytes.
    json random ["random"] () send RandomRequest => RandomResponse;
    /// Hashes data.
    json hash ["hash"] () send HashRequest => HashResponse;
    /// Says whether a certificate is valid, and why not.
    json validate_certificate ["certificate-validate"] () send ValidateCertificateRequest
        => CertificateVerdict;
    /// Says whether a signed document is valid, and why not.
    json verify_document ["document-verify"] () send VerifyDocumentRequest => DocumentVerdict;
}
