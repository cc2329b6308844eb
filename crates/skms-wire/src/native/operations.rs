//! What keys do: each body is one item or a batch of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{KeyFormat, SignatureEncoding, SignatureScheme, WrapMode};
use crate::{Bytes, Ciphertext, SecretB64};

/// Encrypts data with the newest active version.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptRequest {
    /// The data.
    pub plaintext: SecretB64,
    /// Bound to the ciphertext, not inside it; for RSA, the OAEP label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<Bytes>,
    /// The OAEP hash (RSA only); SHA-256 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash (RSA only); the OAEP hash if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// The ciphertext.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EncryptResponse {
    /// What decrypt takes.
    pub ciphertext: Ciphertext,
    /// The version that made it.
    pub version: u32,
}

/// Decrypts what encrypt made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecryptRequest {
    /// What encrypt answered.
    pub ciphertext: Ciphertext,
    /// The same associated data as when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<Bytes>,
    /// The same OAEP hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The same OAEP MGF1 hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// The data.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DecryptResponse {
    /// The data.
    pub plaintext: SecretB64,
    /// The version that made the ciphertext.
    pub version: u32,
}

/// Moves a ciphertext to the newest version; the data does not leave.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReencryptRequest {
    /// What encrypt answered.
    pub ciphertext: Ciphertext,
    /// The associated data, the same before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<Bytes>,
    /// The OAEP hash, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// Makes a fresh key and encrypts it under this one.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DataKeyRequest {
    /// Its length in bytes, 16 to 64; 32 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_bytes: Option<u32>,
    /// Whether the answer holds the key itself as well; yes if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<bool>,
    /// Bound to the encrypted key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<Bytes>,
}

/// A fresh key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DataKeyResponse {
    /// The key itself; use it and forget it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<SecretB64>,
    /// The key encrypted; keep it with the data, decrypt it when needed.
    pub ciphertext: Ciphertext,
    /// The version that encrypted it.
    pub version: u32,
    /// The identifier of the key that encrypted it: as `-/{key_id}` it stands
    /// for the key wherever a path names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// Wraps key bytes that the caller holds.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WrapRequest {
    /// The key bytes to wrap.
    pub key: SecretB64,
    /// How to wrap; `direct` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WrapMode>,
    /// The OAEP hash (RSA only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash (RSA only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// Wrapped key bytes, in the wrapping algorithm's own standard form.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WrapResponse {
    /// The wrapped bytes.
    pub wrapped_key: Bytes,
    /// The version that wrapped them.
    pub version: u32,
}

/// Unwraps key bytes.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnwrapRequest {
    /// The wrapped bytes.
    pub wrapped_key: Bytes,
    /// The version that wrapped them; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How they were wrapped; `direct` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WrapMode>,
    /// The OAEP hash (RSA only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash (RSA only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// Unwrapped key bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct UnwrapResponse {
    /// The key bytes.
    pub key: SecretB64,
    /// The version that unwrapped them.
    pub version: u32,
}

/// Signs a message, or a digest of one. Give exactly one of the two.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// The whole message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Bytes>,
    /// Its digest by `hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Bytes>,
    /// The hash, such as `SHA-256`; the algorithm's default if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The scheme, where the key allows more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SignatureScheme>,
    /// The context string of ML-DSA and SLH-DSA, at most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// How an ECDSA signature is written; DER if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<SignatureEncoding>,
    /// The PSS salt's length; the hash's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt_length_bytes: Option<u32>,
}

/// A signature.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SignResponse {
    /// The signature.
    pub signature: Bytes,
    /// The version that made it.
    pub version: u32,
}

/// Verifies a signature over a message or a digest.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The whole message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Bytes>,
    /// Its digest by `hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Bytes>,
    /// The signature.
    pub signature: Bytes,
    /// The version that made it; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// As in [`SignRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// As in [`SignRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SignatureScheme>,
    /// As in [`SignRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// As in [`SignRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<SignatureEncoding>,
    /// As in [`SignRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt_length_bytes: Option<u32>,
}

/// Whether a signature or a MAC is right.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifyResponse {
    /// Whether it is.
    pub valid: bool,
    /// The version that was asked.
    pub version: u32,
}

/// Makes a MAC.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MacRequest {
    /// The data.
    pub data: Bytes,
}

/// A MAC.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MacResponse {
    /// The MAC, in full length.
    pub mac: Bytes,
    /// The version that made it.
    pub version: u32,
}

/// Verifies a MAC, in constant time.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MacVerifyRequest {
    /// The data.
    pub data: Bytes,
    /// The MAC, in full length.
    pub mac: Bytes,
    /// The version that made it; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Derives key bytes (HKDF, RFC 5869).
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeriveRequest {
    /// The salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Bytes>,
    /// What the result is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Bytes>,
    /// How many bytes.
    pub length_bytes: u32,
    /// The version to derive from; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Derived key bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeriveResponse {
    /// The bytes.
    pub derived: SecretB64,
    /// The version they came from.
    pub version: u32,
}

/// Agrees on a secret with the holder of another key (ECDH, X25519, or
/// finite-field Diffie-Hellman), through HKDF.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreeRequest {
    /// The other side's public key.
    pub peer_public_key: Bytes,
    /// How it is written; found out if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_format: Option<KeyFormat>,
    /// HKDF's salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Bytes>,
    /// HKDF's info: what the result is for and between whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Bytes>,
    /// How many bytes; 32 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_bytes: Option<u32>,
    /// Our version; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// What was agreed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AgreeResponse {
    /// The derived bytes.
    pub secret: SecretB64,
    /// Our version.
    pub version: u32,
}

/// Makes a shared secret and its encapsulation to this key.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncapsulateRequest {}

/// A shared secret and its encapsulation (FIPS 203).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EncapsulateResponse {
    /// What to send to the key's holder.
    pub ciphertext: Bytes,
    /// What both then share.
    pub shared_secret: SecretB64,
    /// The version it is encapsulated to.
    pub version: u32,
}

/// Opens an encapsulation.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecapsulateRequest {
    /// What encapsulate made.
    pub ciphertext: Bytes,
    /// The version it was made to; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A shared secret. A forged encapsulation gives another secret, not an error
/// (FIPS 203, implicit rejection).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DecapsulateResponse {
    /// What both share.
    pub shared_secret: SecretB64,
    /// The version that opened it.
    pub version: u32,
}

/// Asks for random bytes.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomRequest {
    /// How many, 1 to 65536; 32 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_bytes: Option<u32>,
}

/// Random bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RandomResponse {
    /// The bytes.
    pub random: SecretB64,
}

/// Asks for a digest.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HashRequest {
    /// The data.
    pub data: Bytes,
    /// The hash; SHA-256 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A digest.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HashResponse {
    /// The digest.
    pub digest: Bytes,
    /// The hash that made it.
    pub hash: String,
}
