//! Issuing: certificates, requests, revocation lists and OCSP responses made
//! as bytes. Pure functions: moments, serial numbers and signatures are passed
//! in, since keys live elsewhere and may sign in their own time.
//!
//! Everything is made in two steps. The first gives what is to be signed, and
//! says by which [`SigningScheme`]; the second takes the signature, checks it,
//! and gives the DER.
//!
//! ```
//! use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
//! use skms_pki::Moment;
//! use skms_pki::issue::{Authority, ProfileKind, Request, Serial, SigningScheme};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256)?)?;
//! let spki = key.public_key().ok_or("no public key")?.spki_der().to_vec();
//! let request = Request::new("O=Example, CN=Root R1".parse()?, spki);
//! let scheme = SigningScheme::for_key(key.algorithm()).ok_or("no scheme")?;
//! let authority = Authority::root(&request, scheme)?;
//! let serial = Serial::from_random([7; 20]);
//! let now = Moment(1_800_000_000);
//!
//! let planned = ProfileKind::Root.profile().plan(&authority, &request, serial, now)?;
//! let signature = key.sign(Message::Raw(planned.tbs()), &planned.scheme().sign_options())?;
//! let root = planned.signed(&signature)?;
//! assert!(skms_pki::Certificate::from_der(&root)?.is_ca());
//! # Ok(()) }
//! ```
//!
//! `docs/issuing.md` has the profiles that come along.

pub mod altname;
pub mod authority;
pub mod builtin;
pub mod crl;
pub mod csr;
mod csrattrs;
pub(crate) mod der;
pub mod error;
mod grant;
pub mod key;
pub mod lint;
pub mod name;
mod names;
pub mod ocsp;
mod plan;
pub mod profile;
pub mod request;
pub mod scheme;
pub mod serial;
pub mod tbs;
mod write;

pub use altname::{AltName, IpNetwork, Subtree};
pub use authority::{Authority, Published};
pub use builtin::{ProfileKind, principal_uri};
pub use crl::{Contents, List, ListEntry, UnsignedList};
pub use csr::UnsignedCsr;
pub use csrattrs::csr_attributes;
pub use der::LAST_MOMENT;
pub use error::{Broken, Demand, IssueError};
pub use key::key_identifier;
pub use name::NameBuf;
pub use ocsp::{Answer, CertIdBuf, CertIdHash, Responder, UnsignedResponse};
pub use profile::{
    AuthorityRules, CommonNameRule, DAY, KeyRules, LifetimeRules, NameRules, Profile, Shape,
    SubjectRule, UsageRules, Wishes,
};
pub use request::{Request, Wished};
pub use scheme::SigningScheme;
pub use serial::Serial;
pub use tbs::ToBeSigned;
