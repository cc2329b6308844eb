//! SSH certificate authorities: make, read, delete, their roles, certifying
//! keys, revoking.

mod authorities;
mod compromised;
mod issued;
mod read;
mod revoke;
mod roles;
mod sign;

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_pki::ssh::{Certificate, CertificateType, Error as Ssh, Role};
use skms_store::RecordId;

use crate::act::act;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::ssh::SshCertificateRecord;
use crate::ssh::SshAuthority;
use crate::target::Target;

pub use authorities::NewAuthority;
pub(crate) use compromised::Spoilt;
pub(crate) use issued::{Issued, issued};
pub use read::KeyList;
pub use revoke::What;
pub(crate) use revoke::additions;
pub use sign::NewCertificate;

act!(List, SshAuthorityList, "Lists the SSH authorities.");
act!(Read, SshAuthorityRead, "Reads an SSH authority.");
act!(Create, SshAuthorityCreate, "Makes an SSH authority.");
act!(Delete, SshAuthorityDelete, "Deletes an SSH authority.");
act!(WriteRole, SshRoleWrite, "Writes a role.");
act!(DeleteRole, SshRoleDelete, "Deletes a role.");
act!(Sign, SshCertificateSign, "Certifies a public key.");
act!(ListCertificates, SshCertificateList, "Lists certificates.");
act!(ReadCertificate, SshCertificateRead, "Reads a certificate.");
act!(
    Revoke,
    SshCertificateRevoke,
    "Revokes certificates or keys."
);

/// What is told about an authority.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// Whom it certifies.
    pub certificate_type: CertificateType,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's version.
    pub version: u32,
    /// How it signs, in SSH's words.
    pub signature: &'static str,
    /// Its public key, as `.pub` files have it.
    pub public_key: String,
    /// SHA-256 of its public key's encoding.
    pub fingerprint: [u8; 32],
    /// Its roles by name.
    pub roles: BTreeMap<String, Role>,
    /// The version of its revocation list: how often something was revoked.
    pub krl_version: u64,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl From<&SshAuthority> for View {
    fn from(authority: &SshAuthority) -> Self {
        let record = &authority.record;
        Self {
            id: authority.id,
            name: record.name.clone(),
            certificate_type: authority.certificate_type,
            keyring: record.key.keyring.clone(),
            key: record.key.key.clone(),
            version: record.key.version,
            signature: skms_pki::ssh::signature_name(authority.scheme).unwrap_or_default(),
            public_key: authority.public.line(&record.name),
            fingerprint: authority.public.sha256(),
            roles: authority.roles.clone(),
            krl_version: authority.revoked.version(),
            created_at: UnixSeconds(record.created_at),
        }
    }
}

/// What is told about a certificate.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// The name of the authority.
    pub authority: String,
    /// The role it was made by.
    pub role: String,
    /// What it says.
    pub certificate: Certificate,
    /// Whether the authority's revocation list names it.
    pub revoked: bool,
    /// Who asked for it.
    pub issued_to: String,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// The line of a `-cert.pub` file.
    pub line: String,
}

impl CertificateView {
    pub(crate) fn of(authority: &SshAuthority, record: &SshCertificateRecord) -> Result<Self> {
        let blob = &record.certificate.0;
        let certificate = Certificate::from_blob(blob).map_err(|_| Error::Record {
            kind: "SSH certificate",
            reason: "certificate".to_owned(),
        })?;
        let grant = &certificate.grant;
        let revoked = authority
            .revoked
            .names(grant.serial, &grant.key_id, &certificate.key)
            // A compromised authority's list names its own key.
            || authority.revoked.names_key(&authority.public);
        Ok(Self {
            authority: authority.record.name.clone(),
            role: record.role.clone(),
            revoked,
            issued_to: record.issued_to.clone(),
            issued_at: UnixSeconds(record.issued_at),
            line: Certificate::line(&certificate.name, blob, &grant.key_id),
            certificate,
        })
    }
}

/// The room's errors are the caller's, but for a signature that does not hold.
pub(crate) fn refused(error: Ssh) -> Error {
    match error {
        Ssh::Signature(_) => Error::Internal("an SSH signature does not hold"),
        other => Error::Invalid(other.to_string()),
    }
}

/// A serial number in decimal. Only once the caller is authorised: before, what
/// is wrong with it is nobody's business.
fn serial(text: &str) -> Result<u64> {
    match text.parse() {
        Ok(0) | Err(_) => Err(Error::Invalid(
            "a serial number is a decimal from 1 to 2^64 - 1".into(),
        )),
        Ok(serial) => Ok(serial),
    }
}

impl Entry {
    /// The authority as a target: with its revision if there is one.
    fn ssh_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::ssh_authority(namespace, name);
        match self.rooms.ssh.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The authority of that name.
    fn ssh_authority(&self, namespace: &str, name: &str) -> Result<Arc<SshAuthority>> {
        self.rooms.ssh.find(namespace, name).ok_or(Error::NotFound {
            what: "SSH authority",
        })
    }
}
