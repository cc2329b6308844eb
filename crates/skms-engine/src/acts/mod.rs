//! The acts, one file each: what is asked, what is answered, what is done.
//! How an act gets here is in [`crate::gate`]; how those that use key
//! material walk is in [`crate::operate`]; how those that change a key end is
//! in `keychange`.

pub mod agree;
pub mod authorities;
pub mod backup;
pub mod certificates;
pub mod create_key;
pub mod datakey;
pub mod decapsulate;
pub mod decrypt;
pub mod delete_key;
pub mod derive;
pub mod destroy;
pub mod encapsulate;
pub mod encrypt;
pub mod events;
pub mod export_key;
pub mod import_key;
pub mod keyrings;
pub mod limits;
pub mod mac;
pub mod mac_verify;
pub mod namespaces;
pub mod payload;
pub mod policies;
pub mod principals;
pub mod publish;
pub mod random;
pub mod read_key;
pub mod recover;
pub mod reencrypt;
pub mod restore;
pub mod resume;
pub mod revoke;
pub mod rotate;
pub mod sign;
pub mod sign_document;
pub mod storage;
pub mod suspend;
pub mod tokens;
pub mod unwrap;
pub mod update_key;
pub mod validate_certificate;
pub mod verify;
pub mod wrap;
