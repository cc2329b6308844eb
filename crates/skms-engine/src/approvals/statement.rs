//! What an approver says: a statement over one request's hash, signed by a key
//! of the approver's own or, where that is enough, by the server that saw who
//! it was. Either is a JWS that anybody can check.

use serde::{Deserialize, Serialize};
use skms_crypto::{Format, KeyMaterial, Message, OpenKey};
use skms_pki::documents::{Signer, jws};
use skms_pki::issue::SigningScheme;

use super::facts::{Facts, Who};
use crate::error::{Error, Result};
use crate::sessions::hex;
use crate::signing::{self, Said};

/// What a statement says that it is, so that nothing else that was signed is
/// taken for one.
const TYPE: &str = "skms-approval-1";

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it is.
    #[serde(rename = "type")]
    kind: String,
    /// The installation, in hexadecimal.
    pub install: String,
    /// The request's identifier.
    pub request: String,
    /// The request's hash, in hexadecimal.
    pub hash: String,
    /// Who approves.
    pub approver: Who,
    /// When, in seconds since the Unix epoch.
    pub approved_at: i64,
    /// The last moment at which it counts.
    pub expires_at: i64,
}

impl Statement {
    /// That `approver` approves of this request.
    #[must_use]
    pub fn new(facts: &Facts, approver: Who, (approved_at, expires_at): (i64, i64)) -> Self {
        Self {
            kind: TYPE.to_owned(),
            install: facts.install.clone(),
            request: facts.id.clone(),
            hash: hex(&facts.hash()),
            approver,
            approved_at,
            expires_at,
        }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|_| Error::Internal("a statement does not encode"))
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let statement: Self =
            serde_json::from_slice(bytes).map_err(|_| refused("it is no statement"))?;
        match statement.kind == TYPE {
            true => Ok(statement),
            false => Err(refused("it is no statement")),
        }
    }

    /// Whether it is about this request.
    ///
    /// # Errors
    /// [`Error::ApprovalRefused`].
    pub fn is_for(&self, facts: &Facts) -> Result<()> {
        if self.install != facts.install {
            return Err(refused("it is for another installation"));
        }
        match self.request == facts.id && self.hash == hex(&facts.hash()) {
            true => Ok(()),
            false => Err(refused("it is for another request")),
        }
    }

    /// Signs it by the approver's own certified key: certificates and key in
    /// PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is none of these, or do not belong together.
    pub fn sign_by(&self, certificates: &str, key: &[u8]) -> Result<String> {
        let invalid = |why: String| Error::Invalid(format!("cannot sign the approval: {why}"));
        let chain = skms_pki::pem::decode(skms_pki::pem::CERTIFICATE, certificates)
            .map_err(|error| invalid(error.to_string()))?;
        let key = KeyMaterial::import(key, Format::Auto, None, None)?;
        let key = OpenKey::open(&key)?;
        let scheme = SigningScheme::for_key(key.algorithm())
            .ok_or_else(|| invalid("the key does not sign".to_owned()))?;
        let refused = |error: skms_pki::documents::DocumentError| invalid(error.to_string());
        let signer = Signer::new(chain, scheme).map_err(refused)?;
        let planned = jws::plan(&signer, &self.bytes()?).map_err(refused)?;
        let options = planned.scheme().sign_options();
        let signature = key.sign(Message::Raw(planned.tbs()), &options)?;
        planned.signed(&signature, false).map_err(refused)
    }
}

fn refused(why: &str) -> Error {
    Error::ApprovalRefused(why.to_owned())
}

/// Reads a statement that its approver's own key signed, with the certificates
/// it came with, the signer's first. Whose they are is for the caller to find
/// out.
///
/// # Errors
/// [`Error::ApprovalRefused`] for what is none, or was altered.
pub fn open_own(signed: &str) -> Result<(Statement, Vec<Vec<u8>>)> {
    let opened = jws::open(signed.trim(), None)
        .map_err(|error| refused(&format!("its signature does not hold: {error}")))?;
    Ok((Statement::read(&opened.payload)?, opened.chain))
}

/// Reads a statement that the server signed for an approver it had before it,
/// by the server's public key.
///
/// # Errors
/// [`Error::ApprovalRefused`] for what is none, or was altered.
pub fn open_attested(signed: &str, key: &[u8]) -> Result<Statement> {
    let payload = signing::verify(Said::Approval, signed, key)
        .map_err(|error| refused(&format!("its signature does not hold: {error}")))?;
    Statement::read(&payload)
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::some;
    use super::*;

    #[test]
    fn a_statement_is_for_its_request_and_no_other() {
        let facts = some();
        let statement = Statement::new(&facts, facts.requester.clone(), (1, 2));
        assert!(statement.is_for(&facts).is_ok());
        let mut others = [some(), some(), some()];
        others[0].id = "b".into();
        others[1].install = "01".into();
        others[2].parameters.clear();
        for other in &others {
            assert!(matches!(
                statement.is_for(other),
                Err(Error::ApprovalRefused(_))
            ));
        }
    }

    #[test]
    fn what_says_something_else_is_no_statement() {
        let facts = some();
        let statement = Statement::new(&facts, facts.requester.clone(), (1, 2));
        let mut json = serde_json::to_value(&statement).unwrap();
        let read = |json: &serde_json::Value| Statement::read(&serde_json::to_vec(json).unwrap());
        assert_eq!(read(&json).unwrap(), statement);
        json["more"] = 1.into();
        assert!(read(&json).is_err());
        json.as_object_mut().unwrap().remove("more");
        json["type"] = "skms-incident-report".into();
        assert!(read(&json).is_err());
    }
}
