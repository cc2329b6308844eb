//! Keys and versions as the wire shows them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skms_engine::KeySnapshot;
use skms_keys::{Key, KeyState, Origin, RevocationReason, Version, VersionRef};
use skms_wire::native::{
    keys::{KeyChange, KeyView},
    terms,
    versions::{AgreedView, ParentView, RecoveryGrantView, RevocationView, VersionView},
};

use super::{
    convert::{moment, rules_view, use_words},
    error::Failure,
};

/// A key in its place.
///
/// # Errors
/// A defect: a key without versions.
pub fn key(key: &Key, namespace: &str, keyring: &str) -> Result<KeyView, Failure> {
    let newest = key.newest()?;
    Ok(KeyView {
        id: key.id.to_string(),
        namespace: namespace.to_owned(),
        keyring: keyring.to_owned(),
        name: key.name.as_str().to_owned(),
        algorithm: key.algorithm.name().to_owned(),
        uses: use_words(key.uses),
        state: state(newest.state),
        destroy_at: newest.destroy_at.map(moment),
        latest_version: newest.number.0,
        minimum_decrypt_version: key.minimum_decrypt_version.0,
        minimum_encrypt_version: key.minimum_encrypt_version.0,
        exportable: key.exportable,
        owner: key.owner.clone(),
        tags: key.tags.clone(),
        rules: rules_view(&key.rules),
        created_at: moment(key.created_at),
    })
}

/// A key from its snapshot.
///
/// # Errors
/// As for [`key`].
pub fn snapshot(snapshot: &KeySnapshot) -> Result<KeyView, Failure> {
    let at = snapshot.at();
    key(snapshot.key(), at.namespace, at.keyring)
}

/// A key after an act, with the versions that `concerned` picks.
///
/// # Errors
/// As for [`key`].
pub fn change(
    changed: &KeySnapshot,
    concerned: impl Fn(&Version) -> bool,
) -> Result<KeyChange, Failure> {
    Ok(KeyChange {
        key: snapshot(changed)?,
        versions: changed
            .key()
            .versions
            .iter()
            .filter(|version| concerned(version))
            .map(|one| version(changed.key(), one))
            .collect(),
    })
}

fn parent(of: VersionRef) -> ParentView {
    ParentView {
        key: of.key.to_string(),
        version: of.version.0,
    }
}

/// A version of a key.
pub fn version(key: &Key, version: &Version) -> VersionView {
    VersionView {
        version: version.number.0,
        algorithm: Some(key.algorithm_of(version.number).name().to_owned()),
        state: state(version.state),
        origin: match version.origin {
            Origin::Generated => terms::Origin::Generated,
            Origin::Imported => terms::Origin::Imported,
            Origin::Agreed { .. } => terms::Origin::Agreed,
            Origin::Derived(_) => terms::Origin::Derived,
            Origin::Unwrapped(_) => terms::Origin::Unwrapped,
        },
        agreed: match version.origin {
            Origin::Agreed { key, version, peer } => Some(AgreedView {
                key: key.to_string(),
                version: version.0,
                peer_fingerprint: hex(&peer),
            }),
            _ => None,
        },
        parent: match version.origin {
            Origin::Derived(of) | Origin::Unwrapped(of) => Some(parent(of)),
            _ => None,
        },
        wrapped_by: version.wrapped_by.iter().copied().map(parent).collect(),
        created_at: moment(version.created_at),
        activated_at: version.activated_at.map(moment),
        deactivated_at: version.deactivated_at.map(moment),
        compromised_at: version.compromised_at.map(moment),
        compromise_occurred_at: version.compromise_occurred_at.map(moment),
        destroy_at: version.destroy_at.map(moment),
        destroyed_at: version.destroyed_at.map(moment),
        revocation: version
            .revocation
            .as_ref()
            .map(|revocation| RevocationView {
                reason: reason(revocation.reason),
                at: moment(revocation.at),
                message: Some(revocation.message.clone()).filter(|message| !message.is_empty()),
            }),
        recovery_grant: version
            .recovery_grant
            .as_ref()
            .map(|grant| RecoveryGrantView {
                until: moment(grant.until),
                granted_by: grant.granted_by.clone(),
                reason: grant.reason.clone(),
            }),
        uses_reserved: version.uses_reserved,
        bytes_reserved: version.bytes_reserved,
        public_key: version.public_spki.as_deref().map(public_pem),
        fingerprint: version.fingerprint.as_ref().map(|bytes| hex(bytes)),
    }
}

const fn state(state: KeyState) -> terms::KeyState {
    match state {
        KeyState::PreActivation => terms::KeyState::PreActivation,
        KeyState::Active => terms::KeyState::Active,
        KeyState::Suspended => terms::KeyState::Suspended,
        KeyState::Deactivated => terms::KeyState::Deactivated,
        KeyState::Compromised => terms::KeyState::Compromised,
        KeyState::Destroyed => terms::KeyState::Destroyed,
    }
}

/// A revocation reason for the wire.
pub const fn reason(reason: RevocationReason) -> terms::RevocationReason {
    use terms::RevocationReason as Wire;
    match reason {
        RevocationReason::Unspecified => Wire::Unspecified,
        RevocationReason::KeyCompromise => Wire::KeyCompromise,
        RevocationReason::CaCompromise => Wire::CaCompromise,
        RevocationReason::AffiliationChanged => Wire::AffiliationChanged,
        RevocationReason::Superseded => Wire::Superseded,
        RevocationReason::CessationOfOperation => Wire::CessationOfOperation,
        RevocationReason::CertificateHold => Wire::CertificateHold,
        RevocationReason::RemoveFromCrl => Wire::RemoveFromCrl,
        RevocationReason::PrivilegeWithdrawn => Wire::PrivilegeWithdrawn,
        RevocationReason::AaCompromise => Wire::AaCompromise,
    }
}

/// A SubjectPublicKeyInfo as PEM (RFC 7468, section 13).
fn public_pem(spki: &[u8]) -> String {
    let text = STANDARD.encode(spki);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
