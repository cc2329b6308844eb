//! Files of any size in the age format, version 1, whose file key a key of the
//! server wraps.
//!
//! What it is: header, recipients' stanzas, armor and the STREAM payload, with
//! chunks worked on in parallel and in constant memory. What it is not: it
//! asks no server (whoever calls does, once a file) and opens no file.
//!
//! Standard: C2SP age v1 (`age-encryption.org/v1`). Of its recipients there
//! are X25519's, for copies of the key kept offline, and one of our own,
//! `skms`: see [`Wrapped`].
//!
//! What is decrypted is handed on chunk by chunk, each authenticated; a file
//! that was cut short is found out at its end only. So what was handed on is
//! whole only if no error follows.

mod armor;
mod buffer;
mod error;
mod filekey;
mod header;
mod lanes;
mod names;
mod sealed;
mod stream;
mod wrapped;
mod x25519;

pub use armor::{Armor, BEGIN as ARMOR_BEGIN, is_armored};
pub use error::FileError;
pub use filekey::FileKey;
pub use header::{Header, MAGIC, Stanza};
pub use names::{KeyId, PluginIdentity};
pub use sealed::{SealedFile, seal};
pub use wrapped::{CONTEXT, Wrapped, associated_data};
pub use x25519::{X25519Identity, X25519Recipient};

type Result<T, E = FileError> = std::result::Result<T, E>;
