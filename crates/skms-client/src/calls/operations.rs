//! What keys do, one item or many at a time.

use skms_wire::native::batch::Results;
use skms_wire::native::operations::{
    AgreeRequest, AgreeResponse, DataKeyRequest, DataKeyResponse, DecapsulateRequest,
    DecapsulateResponse, DecryptRequest, DecryptResponse, DeriveRequest, DeriveResponse,
    EncapsulateRequest, EncapsulateResponse, EncryptRequest, EncryptResponse, MacRequest,
    MacResponse, MacVerifyRequest, ReencryptRequest, SignRequest, SignResponse, UnwrapRequest,
    UnwrapResponse, VerifyRequest, VerifyResponse, WrapRequest, WrapResponse,
};
use skms_wire::native::routes::{Route, route};

use crate::{Client, Result};

/// Writes each operation twice: for one item and for a batch.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident / $batch:ident [$route:literal] $request:ty => $answer:ty;)+) => {
        impl Client {
            $(
                $(#[$doc])*
                pub async fn $name(&self, keyring: &str, key: &str, request: &$request) -> Result<$answer> {
                    const ROUTE: &Route = route($route);
                    self.json(ROUTE, &[keyring, key], &[], Some(request)).await
                }

                /// The same for many items, each with its own result, in order.
                pub async fn $batch(
                    &self,
                    keyring: &str,
                    key: &str,
                    items: &[$request],
                ) -> Result<Results<$answer>> {
                    const ROUTE: &Route = route($route);
                    self.json(ROUTE, &[keyring, key], &[], Some(&Batch { batch: items })).await
                }
            )+
        }
        /// The routes called here.
        #[cfg(test)]
        pub(super) const CALLED: &[&str] = &[$($route,)+];
    };
}

/// A batch, borrowed.
#[derive(serde::Serialize)]
struct Batch<'a, T> {
    batch: &'a [T],
}

operations! {
    /// Encrypts.
    encrypt / encrypt_batch ["encrypt"] EncryptRequest => EncryptResponse;
    /// Decrypts.
    decrypt / decrypt_batch ["decrypt"] DecryptRequest => DecryptResponse;
    /// Moves a ciphertext to the newest version.
    reencrypt / reencrypt_batch ["reencrypt"] ReencryptRequest => EncryptResponse;
    /// Makes a data key.
    data_key / data_key_batch ["datakey"] DataKeyRequest => DataKeyResponse;
    /// Wraps key bytes.
    wrap / wrap_batch ["wrap"] WrapRequest => WrapResponse;
    /// Unwraps key bytes.
    unwrap / unwrap_batch ["unwrap"] UnwrapRequest => UnwrapResponse;
    /// Signs.
    sign / sign_batch ["sign"] SignRequest => SignResponse;
    /// Verifies a signature.
    verify / verify_batch ["verify"] VerifyRequest => VerifyResponse;
    /// Makes a MAC.
    mac / mac_batch ["mac"] MacRequest => MacResponse;
    /// Verifies a MAC.
    mac_verify / mac_verify_batch ["mac-verify"] MacVerifyRequest => VerifyResponse;
    /// Derives key bytes.
    derive / derive_batch ["derive"] DeriveRequest => DeriveResponse;
    /// Agrees on a secret.
    agree / agree_batch ["agree"] AgreeRequest => AgreeResponse;
    /// Encapsulates a shared secret.
    encapsulate / encapsulate_batch ["encapsulate"] EncapsulateRequest => EncapsulateResponse;
    /// Decapsulates a shared secret.
    decapsulate / decapsulate_batch ["decapsulate"] DecapsulateRequest => DecapsulateResponse;
}
