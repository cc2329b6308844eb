//! The policies a new installation starts with.

use crate::{PolicyName, ROOT_NAMESPACE, Result, name::qualified};

/// The policy that lets the members of the root namespace's group `root` do
/// everything. Without it nobody could write the first policy.
pub const ROOT: &str = include_str!("../policies/root.cedar");
/// The policy that lets every principal read its own token's record.
pub const SELF: &str = include_str!("../policies/self.cedar");

/// A role for which a ready-made policy exists: the members of the group of
/// that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Everything in the namespace but taking secret keys out.
    Admin,
    /// Manages keys; uses none.
    Operator,
    /// Reads metadata and public keys.
    Reader,
    /// Uses keys; manages none.
    CryptoUser,
    /// Reads events and who may do what.
    Auditor,
    /// Issues and revokes certificates; makes no authority.
    Issuer,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[
        Self::Admin,
        Self::Operator,
        Self::Reader,
        Self::CryptoUser,
        Self::Auditor,
        Self::Issuer,
    ];

    /// The group's name, and the document's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::CryptoUser => "crypto-user",
            Self::Auditor => "auditor",
            Self::Issuer => "issuer",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Admin => include_str!("../policies/admin.cedar"),
            Self::Operator => include_str!("../policies/operator.cedar"),
            Self::Reader => include_str!("../policies/reader.cedar"),
            Self::CryptoUser => include_str!("../policies/crypto-user.cedar"),
            Self::Auditor => include_str!("../policies/auditor.cedar"),
            Self::Issuer => include_str!("../policies/issuer.cedar"),
        }
    }

    /// The role's document for a namespace. In the root namespace it reaches
    /// every namespace.
    ///
    /// # Errors
    /// [`crate::Error::Name`] when the namespace's name is not usable.
    pub fn document(self, namespace: &str) -> Result<(PolicyName, String)> {
        let name = PolicyName::new(namespace, self.name())?;
        let bare = format!("SKMS::Group::\"{}\"", self.name());
        let full = format!("SKMS::Group::\"{}\"", qualified(namespace, self.name()));
        Ok((name, self.text().replace(&bare, &full)))
    }
}

/// What the root namespace of a new installation gets: [`ROOT`], [`SELF`] and
/// every role.
///
/// # Errors
/// None with the texts that are built in; the type is that of compiling.
pub fn initial() -> Result<Vec<(PolicyName, String)>> {
    let mut all = vec![
        (PolicyName::new(ROOT_NAMESPACE, "root")?, ROOT.to_owned()),
        (PolicyName::new(ROOT_NAMESPACE, "self")?, SELF.to_owned()),
    ];
    for role in Role::ALL {
        all.push(role.document(ROOT_NAMESPACE)?);
    }
    Ok(all)
}
