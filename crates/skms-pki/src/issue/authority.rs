//! Who issues.

use crate::certificate::Certificate;
use crate::time::Moment;

use super::error::IssueError;
use super::key::{key_identifier, read};
use super::name::NameBuf;
use super::request::Request;
use super::scheme::SigningScheme;
use super::serial::Serial;

/// Where what an authority publishes is found. A URL may have `{shard}` in it,
/// for which the number of the certificate's shard is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// OCSP responders.
    pub ocsp: Vec<String>,
    /// The authority's own certificate.
    pub ca_issuers: Vec<String>,
    /// Its revocation list: one distribution point with all these names.
    pub crls: Vec<String>,
    /// Its delta list, likewise.
    pub deltas: Vec<String>,
    /// How many shards its list has; zero or one for a single list.
    pub shards: u32,
}

impl Published {
    /// The list's URLs of a certificate.
    #[must_use]
    pub fn crls_of(&self, serial: &Serial) -> Vec<String> {
        expand(&self.crls, serial.shard(self.shards))
    }

    /// The delta list's URLs of a certificate.
    #[must_use]
    pub fn deltas_of(&self, serial: &Serial) -> Vec<String> {
        expand(&self.deltas, serial.shard(self.shards))
    }
}

/// Writes the number of a shard into URLs.
#[must_use]
pub fn expand(urls: &[String], shard: u32) -> Vec<String> {
    let number = shard.to_string();
    urls.iter()
        .map(|url| url.replace("{shard}", &number))
        .collect()
}

/// An authority: a name, a key, and the certificates that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its name, as the issuer of what it signs.
    pub name: NameBuf,
    /// Its key: SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
    /// Its key identifier.
    pub key_id: Vec<u8>,
    /// How it signs.
    pub scheme: SigningScheme,
    /// Its own certificate in DER, then those above it as far as they are
    /// known, an issuer after what it issued. Their validity, path lengths,
    /// usages and name constraints bind it. Empty only for a root that is just
    /// being made.
    pub chain: Vec<Vec<u8>>,
    /// Where what it publishes is found.
    pub published: Published,
}

impl Authority {
    /// The authority of a chain: its own certificate in DER first.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for a certificate that does not parse;
    /// [`IssueError::Input`] for an empty chain.
    pub fn from_chain(chain: Vec<Vec<u8>>, scheme: SigningScheme) -> Result<Self, IssueError> {
        let own = chain
            .first()
            .ok_or(IssueError::Input("an authority without a certificate"))?;
        for above in &chain {
            Certificate::from_der(above)?;
        }
        let own = Certificate::from_der(own)?;
        let spki = own.public_key().der.to_vec();
        let key_id = match own.extensions().subject_key_identifier {
            Some(given) => given.to_vec(),
            None => key_identifier(&spki)?.to_vec(),
        };
        Ok(Self {
            name: own.subject().into(),
            spki,
            key_id,
            scheme,
            published: Published::default(),
            chain,
        })
    }

    /// The authority that signs its own first certificate: a root to be.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for a key that does not parse.
    pub fn root(request: &Request, scheme: SigningScheme) -> Result<Self, IssueError> {
        Ok(Self {
            name: request.subject.clone(),
            spki: request.spki.clone(),
            key_id: request.key_id()?,
            scheme,
            chain: Vec::new(),
            published: Published::default(),
        })
    }

    /// The certificates of the chain.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate<'_>>, IssueError> {
        self.chain
            .iter()
            .map(|der| Certificate::from_der(der).map_err(IssueError::from))
            .collect()
    }

    /// Until when it may issue: its own certificate's last second.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`].
    pub fn not_after(&self) -> Result<Option<Moment>, IssueError> {
        Ok(self
            .certificates()?
            .first()
            .map(|certificate| certificate.not_after()))
    }

    /// Whether the scheme is one of the key's.
    pub(crate) fn scheme_fits(&self) -> bool {
        super::key::SubjectKey::judge(&self.spki, false)
            .is_ok_and(|key| key.algorithm == self.scheme.algorithm())
            && read(&self.spki).is_ok()
    }
}
