//! Addresses: `/acme/{namespace}/{authority}/…`, read and written.

use skms_engine::acts::acme::Place;
use skms_pki::acme::ChallengeKind;
use skms_store::RecordId;

/// What every path of this face begins with.
pub const PREFIX: &str = "/acme/";

/// What a path names within an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    RevokeCert,
    KeyChange,
    Account(RecordId),
    Order(RecordId),
    Finalize(RecordId),
    Authorization(RecordId, usize),
    Challenge(RecordId, usize, ChallengeKind),
    /// The certificate of an order, and by which of its chains.
    Certificate(RecordId, usize),
    RenewalInfo(Option<String>),
}

/// Reads a path.
pub fn read(path: &str) -> Option<(Place<'_>, Resource)> {
    let mut parts = path.strip_prefix(PREFIX)?.splitn(3, '/');
    let (namespace, authority, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if namespace.is_empty() || authority.is_empty() {
        return None;
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let resource = match parts.as_slice() {
        ["directory"] => Resource::Directory,
        ["new-nonce"] => Resource::NewNonce,
        ["new-account"] => Resource::NewAccount,
        ["new-order"] => Resource::NewOrder,
        ["revoke-cert"] => Resource::RevokeCert,
        ["key-change"] => Resource::KeyChange,
        ["account", id] => Resource::Account(id.parse().ok()?),
        ["order", id] => Resource::Order(id.parse().ok()?),
        ["order", id, "finalize"] => Resource::Finalize(id.parse().ok()?),
        ["authorization", id, at] => Resource::Authorization(id.parse().ok()?, at.parse().ok()?),
        ["challenge", id, at, kind] => {
            Resource::Challenge(id.parse().ok()?, at.parse().ok()?, kind.parse().ok()?)
        }
        ["certificate", id] => Resource::Certificate(id.parse().ok()?, 0),
        ["certificate", id, at] => Resource::Certificate(id.parse().ok()?, at.parse().ok()?),
        ["renewal-info"] => Resource::RenewalInfo(None),
        ["renewal-info", id] => Resource::RenewalInfo(Some((*id).to_owned())),
        _ => return None,
    };
    Some(((namespace, authority), resource))
}

/// Writes addresses below one authority.
pub struct Addresses {
    /// Scheme, host, and the authority's place.
    base: String,
}

impl Addresses {
    /// Those of an authority at an origin such as `https://host:8200`.
    pub fn new(origin: &str, (namespace, authority): Place<'_>) -> Self {
        Self {
            base: format!("{origin}{PREFIX}{namespace}/{authority}"),
        }
    }

    /// The address of what there is one of.
    pub fn of(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    pub fn account(&self, id: RecordId) -> String {
        format!("{}/account/{id}", self.base)
    }

    pub fn order(&self, id: RecordId) -> String {
        format!("{}/order/{id}", self.base)
    }

    pub fn finalize(&self, id: RecordId) -> String {
        format!("{}/order/{id}/finalize", self.base)
    }

    pub fn authorization(&self, order: RecordId, at: usize) -> String {
        format!("{}/authorization/{order}/{at}", self.base)
    }

    pub fn challenge(&self, order: RecordId, at: usize, kind: ChallengeKind) -> String {
        format!("{}/challenge/{order}/{at}/{}", self.base, kind.name())
    }

    pub fn certificate(&self, order: RecordId, number: usize) -> String {
        match number {
            0 => format!("{}/certificate/{order}", self.base),
            _ => format!("{}/certificate/{order}/{number}", self.base),
        }
    }

    /// The account that an address of this authority is of.
    pub fn account_of(&self, kid: &str) -> Option<RecordId> {
        let rest = kid.strip_prefix(&self.base)?;
        rest.strip_prefix("/account/")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let id = RecordId([7; 16]);
        let addresses = Addresses::new("", ("root", "web"));
        for (path, resource) in [
            (addresses.of("directory"), Resource::Directory),
            (addresses.of("new-order"), Resource::NewOrder),
            (addresses.account(id), Resource::Account(id)),
            (addresses.finalize(id), Resource::Finalize(id)),
            (
                addresses.authorization(id, 3),
                Resource::Authorization(id, 3),
            ),
            (
                addresses.challenge(id, 0, ChallengeKind::Dns01),
                Resource::Challenge(id, 0, ChallengeKind::Dns01),
            ),
            (addresses.certificate(id, 0), Resource::Certificate(id, 0)),
            (addresses.certificate(id, 2), Resource::Certificate(id, 2)),
        ] {
            assert_eq!(read(&path), Some((("root", "web"), resource)), "{path}");
        }
        assert_eq!(addresses.account_of(&addresses.account(id)), Some(id));
        let other = Addresses::new("", ("root", "other"));
        assert_eq!(addresses.account_of(&other.account(id)), None);
        for bad in [
            "/acme/",
            "/acme/team/web",
            "/acme/team/web/",
            "/acme//web/directory",
            "/acme/team/web/account/x",
            "/acme/team/web/order/../directory",
            "/acme/team/web/directory/",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
