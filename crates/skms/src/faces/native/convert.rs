//! The wire's words as the domain's, and back.

use skms_crypto::{
    Algorithm, EcdsaEncoding, EncryptOptions, Format, Hash, SecretBytes, SignOptions,
    SignatureScheme, Use, Uses, WrapMode,
};
use skms_engine::acts::payload::Payload;
use skms_keys::{
    Cron, KeyId, Occasion, Occasions, RevocationReason, Rules, Schedule, UnixSeconds,
    VersionNumber, Versions, Zone,
};
use skms_wire::{
    Bytes, Moment, SecretB64, SecretText,
    native::{keys, terms},
};

use super::error::Failure;

/// Bytes from the wire, still secret.
pub fn secret(bytes: SecretB64) -> SecretBytes {
    SecretBytes::new(bytes.into_exposed())
}

/// Bytes for the wire. They leave the domain's type for one that erases
/// itself too and is made to be answered with.
pub fn exposed(bytes: SecretBytes) -> SecretB64 {
    SecretB64::new(bytes.into_public())
}

/// A text from the wire as bytes, still secret.
pub fn secret_text(text: SecretText) -> SecretBytes {
    SecretBytes::new(text.into_exposed().into_bytes())
}

/// Bytes that may be left out.
pub fn optional(bytes: Option<Bytes>) -> Vec<u8> {
    bytes.map(Bytes::into_inner).unwrap_or_default()
}

/// An algorithm by its name.
pub fn algorithm(name: &str) -> Result<Algorithm, Failure> {
    name.parse().map_err(|_| {
        Failure::invalid("unknown algorithm; GET /api/v1/algorithms lists those on offer")
    })
}

/// A hash by its name.
pub fn hash(name: Option<&str>) -> Result<Option<Hash>, Failure> {
    name.map(|name| {
        name.parse().map_err(|_| {
            let known: Vec<&str> = Hash::all().iter().map(|hash| hash.name()).collect();
            Failure::invalid(format!("unknown hash; known are {}", known.join(", ")))
        })
    })
    .transpose()
}

/// A version's number; there is no version 0.
pub fn version(number: Option<u32>) -> Result<Option<VersionNumber>, Failure> {
    match number {
        Some(0) => Err(Failure::invalid("versions are numbered from 1")),
        number => Ok(number.map(VersionNumber)),
    }
}

/// One version, or all that the act fits.
pub fn versions(number: Option<u32>) -> Result<Versions, Failure> {
    Ok(version(number)?.map_or(Versions::All, Versions::One))
}

/// A length in bytes.
pub fn length(bytes: u32) -> Result<usize, Failure> {
    usize::try_from(bytes).map_err(|_| Failure::invalid("the length is too large"))
}

/// What RSA encryption or wrapping is to be done with.
pub fn encrypt_options(
    oaep_hash: Option<&str>,
    oaep_mgf_hash: Option<&str>,
    mode: Option<terms::WrapMode>,
) -> Result<EncryptOptions, Failure> {
    Ok(EncryptOptions {
        oaep_hash: hash(oaep_hash)?,
        oaep_mgf_hash: hash(oaep_mgf_hash)?,
        wrap_mode: match mode {
            None | Some(terms::WrapMode::Direct) => WrapMode::Direct,
            Some(terms::WrapMode::OaepKwp) => WrapMode::RsaAesKwp,
        },
    })
}

/// How a signature is to be made or was made, as the wire says it.
pub struct SignatureTerms {
    pub scheme: Option<terms::SignatureScheme>,
    pub hash: Option<String>,
    pub context: Option<Bytes>,
    pub encoding: Option<terms::SignatureEncoding>,
    pub salt_length_bytes: Option<u32>,
}

impl SignatureTerms {
    /// As the crypto room takes it.
    pub fn options(self) -> Result<SignOptions, Failure> {
        Ok(SignOptions {
            scheme: self.scheme.map(scheme),
            hash: hash(self.hash.as_deref())?,
            context: optional(self.context),
            encoding: match self.encoding {
                None | Some(terms::SignatureEncoding::Der) => EcdsaEncoding::Der,
                Some(terms::SignatureEncoding::P1363) => EcdsaEncoding::P1363,
            },
            salt_length: self.salt_length_bytes.map(length).transpose()?,
        })
    }
}

const fn scheme(scheme: terms::SignatureScheme) -> SignatureScheme {
    use terms::SignatureScheme as Wire;
    match scheme {
        Wire::RsaPss => SignatureScheme::RsaPss,
        Wire::RsaPkcs1v15 => SignatureScheme::RsaPkcs1v15,
        Wire::Ecdsa => SignatureScheme::Ecdsa,
        Wire::Ed25519 => SignatureScheme::Ed25519,
        Wire::MlDsa => SignatureScheme::MlDsa,
        Wire::SlhDsa => SignatureScheme::SlhDsa,
    }
}

/// A message or its digest: exactly one.
pub fn payload(
    message: Option<Bytes>,
    digest: Option<Bytes>,
    hash_name: Option<&str>,
) -> Result<Payload, Failure> {
    match (message, digest) {
        (Some(message), None) => Ok(Payload::Raw(message.into_inner())),
        (None, Some(digest)) => {
            let hash = hash(hash_name)?
                .ok_or_else(|| Failure::invalid("a digest needs the hash that made it"))?;
            Ok(Payload::Digest(digest.into_inner(), hash))
        }
        _ => Err(Failure::invalid("give either message or digest")),
    }
}

const USES: &[(terms::KeyUse, Use)] = &[
    (terms::KeyUse::Encrypt, Use::Encrypt),
    (terms::KeyUse::Decrypt, Use::Decrypt),
    (terms::KeyUse::Wrap, Use::Wrap),
    (terms::KeyUse::Unwrap, Use::Unwrap),
    (terms::KeyUse::Sign, Use::Sign),
    (terms::KeyUse::Verify, Use::Verify),
    (terms::KeyUse::Mac, Use::Mac),
    (terms::KeyUse::MacVerify, Use::MacVerify),
    (terms::KeyUse::Derive, Use::Derive),
    (terms::KeyUse::Agree, Use::Agree),
    (terms::KeyUse::Encapsulate, Use::Encapsulate),
    (terms::KeyUse::Decapsulate, Use::Decapsulate),
];

/// A key's uses.
pub fn uses(words: &[terms::KeyUse]) -> Uses {
    USES.iter()
        .filter(|(word, _)| words.contains(word))
        .fold(Uses::EMPTY, |all, (_, one)| all.union(Uses::of(&[*one])))
}

/// A key's uses for the wire, in the wire's order.
pub fn use_words(uses: Uses) -> Vec<terms::KeyUse> {
    USES.iter()
        .filter(|(_, one)| uses.contains(*one))
        .map(|(word, _)| *word)
        .collect()
}

const FORMATS: &[(terms::KeyFormat, Format)] = &[
    (terms::KeyFormat::Raw, Format::Raw),
    (terms::KeyFormat::Pkcs8, Format::Pkcs8Der),
    (terms::KeyFormat::Pkcs8Pem, Format::Pkcs8Pem),
    (terms::KeyFormat::Sec1, Format::Sec1Der),
    (terms::KeyFormat::Sec1Pem, Format::Sec1Pem),
    (terms::KeyFormat::Pkcs1, Format::Pkcs1Der),
    (terms::KeyFormat::Pkcs1Pem, Format::Pkcs1Pem),
    (terms::KeyFormat::Spki, Format::SpkiDer),
    (terms::KeyFormat::SpkiPem, Format::SpkiPem),
    (terms::KeyFormat::Jwk, Format::Jwk),
    (terms::KeyFormat::Auto, Format::Auto),
];

/// A format of keys.
pub fn format(word: terms::KeyFormat) -> Format {
    FORMATS
        .iter()
        .find(|(known, _)| *known == word)
        .map_or(Format::Auto, |(_, format)| *format)
}

/// A reason to revoke.
pub const fn reason(word: terms::RevocationReason) -> RevocationReason {
    use terms::RevocationReason as Wire;
    match word {
        Wire::Unspecified => RevocationReason::Unspecified,
        Wire::KeyCompromise => RevocationReason::KeyCompromise,
        Wire::CaCompromise => RevocationReason::CaCompromise,
        Wire::AffiliationChanged => RevocationReason::AffiliationChanged,
        Wire::Superseded => RevocationReason::Superseded,
        Wire::CessationOfOperation => RevocationReason::CessationOfOperation,
        Wire::CertificateHold => RevocationReason::CertificateHold,
        Wire::RemoveFromCrl => RevocationReason::RemoveFromCrl,
        Wire::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        Wire::AaCompromise => RevocationReason::AaCompromise,
    }
}

/// An instant from the wire.
pub fn seconds(moment: Moment) -> UnixSeconds {
    UnixSeconds(moment.unix_seconds())
}

/// An instant for the wire.
pub fn moment(at: UnixSeconds) -> Moment {
    Moment::from_unix_seconds(at.0)
}

/// The legacy permission to mix uses.
const MIXED_USES: &str = "mixed-uses";

/// The legacy permission to import what is weak.
const WEAK_MATERIAL: &str = "weak-material";

/// `base` with what the wire says in its place, and when a version that is
/// made now is to come into use.
///
/// # Errors
/// An invalid argument for a legacy permission that does not exist.
pub fn rules(
    said: &keys::Rules,
    mut base: Rules,
    leader: Option<KeyId>,
) -> Result<(Rules, Option<UnixSeconds>), Failure> {
    for name in &said.without {
        take_away(&mut base, name)?;
    }
    let mut legacy = base.legacy;
    for name in &said.legacy {
        match name.as_str() {
            MIXED_USES => legacy.mixed_uses = true,
            WEAK_MATERIAL => legacy.weak_material = true,
            _ => {
                return Err(Failure::invalid(format!(
                    "unknown legacy permission; known are {MIXED_USES} and {WEAK_MATERIAL}"
                )));
            }
        }
    }
    let rules = Rules {
        originator_usage_period_seconds: said
            .originator_usage_period_seconds
            .or(base.originator_usage_period_seconds),
        recipient_usage_period_seconds: said
            .recipient_usage_period_seconds
            .or(base.recipient_usage_period_seconds),
        rotate_after_seconds: said.rotate_every_seconds.or(base.rotate_after_seconds),
        rotate_at: schedule(said, base.rotate_at)?,
        rotate_at_age_seconds: said.rotate_at_age_seconds.or(base.rotate_at_age_seconds),
        rotate_after_uses: said.rotate_after_uses.or(base.rotate_after_uses),
        rotate_after_bytes: said.rotate_after_bytes.or(base.rotate_after_bytes),
        rotate_with: leader.or(base.rotate_with),
        rotate_on: occasions(&said.rotate_on, base.rotate_on)?,
        rotate_spread_seconds: said.rotate_spread_seconds.or(base.rotate_spread_seconds),
        warn_before_seconds: said.warn_before_seconds.or(base.warn_before_seconds),
        warn_at_percent: said.warn_at_percent.or(base.warn_at_percent),
        destroy_old_after_seconds: said
            .destroy_old_after_seconds
            .or(base.destroy_old_after_seconds),
        expires_at: said.expires_at.map(seconds).or(base.expires_at),
        destroy_window_seconds: said
            .destroy_window_seconds
            .unwrap_or(base.destroy_window_seconds),
        legacy,
    };
    Ok((rules, said.activate_at.map(seconds)))
}

/// The rules that can be taken away, by the names of their options.
const TAKEN_AWAY: [&str; 14] = [
    "originator-usage-period",
    "recipient-usage-period",
    "rotate-every",
    "rotate-at",
    "rotate-at-age",
    "rotate-after-uses",
    "rotate-after-bytes",
    "rotate-with",
    "rotate-on",
    "rotate-spread",
    "warn-before",
    "warn-at-percent",
    "destroy-old-after",
    "expires-at",
];

/// Takes away a rule of that name.
fn take_away(rules: &mut Rules, name: &str) -> Result<(), Failure> {
    match name {
        "originator-usage-period" => rules.originator_usage_period_seconds = None,
        "recipient-usage-period" => rules.recipient_usage_period_seconds = None,
        "rotate-every" => rules.rotate_after_seconds = None,
        "rotate-at" => rules.rotate_at = None,
        "rotate-at-age" => rules.rotate_at_age_seconds = None,
        "rotate-after-uses" => rules.rotate_after_uses = None,
        "rotate-after-bytes" => rules.rotate_after_bytes = None,
        "rotate-with" => rules.rotate_with = None,
        "rotate-on" => rules.rotate_on = Occasions::NONE,
        "rotate-spread" => rules.rotate_spread_seconds = None,
        "warn-before" => rules.warn_before_seconds = None,
        "warn-at-percent" => rules.warn_at_percent = None,
        "destroy-old-after" => rules.destroy_old_after_seconds = None,
        "expires-at" => rules.expires_at = None,
        _ => {
            return Err(Failure::invalid(format!(
                "there is no rule of that name to take away; there are {}",
                TAKEN_AWAY.join(", ")
            )));
        }
    }
    Ok(())
}

/// What a key rotates on; what it did before where nothing is said.
fn occasions(said: &[String], base: Occasions) -> Result<Occasions, Failure> {
    if said.is_empty() {
        return Ok(base);
    }
    let all = said.iter().map(|name| name.parse::<Occasion>());
    all.collect::<Result<_, _>>()
        .map_err(|error| Failure::invalid(error.to_string()))
}

/// A schedule as it is said; where only one of its halves is, the other stays.
fn schedule(said: &keys::Rules, base: Option<Schedule>) -> Result<Option<Schedule>, Failure> {
    let invalid = |error: skms_keys::Error| Failure::invalid(error.to_string());
    let zone = said.zone.as_deref().map(str::parse::<Zone>).transpose();
    let zone = zone.map_err(invalid)?;
    let Some(cron) = &said.rotate_at else {
        return match (zone, base) {
            (Some(zone), Some(schedule)) => Ok(Some(Schedule { zone, ..schedule })),
            (Some(_), None) => Err(Failure::invalid("a time zone is for a rotate_at")),
            (None, base) => Ok(base),
        };
    };
    let zone = zone.or(base.map(|schedule| schedule.zone));
    Ok(Some(Schedule {
        cron: cron.parse::<Cron>().map_err(invalid)?,
        zone: zone.unwrap_or(Zone::UTC),
    }))
}

/// A key's rules for the wire.
pub fn rules_view(rules: &Rules) -> keys::Rules {
    keys::Rules {
        activate_at: None,
        originator_usage_period_seconds: rules.originator_usage_period_seconds,
        recipient_usage_period_seconds: rules.recipient_usage_period_seconds,
        rotate_every_seconds: rules.rotate_after_seconds,
        rotate_at: rules.rotate_at.map(|schedule| schedule.cron.to_string()),
        zone: rules.rotate_at.map(|schedule| schedule.zone.to_string()),
        rotate_at_age_seconds: rules.rotate_at_age_seconds,
        rotate_after_uses: rules.rotate_after_uses,
        rotate_after_bytes: rules.rotate_after_bytes,
        rotate_with: rules.rotate_with.map(|key| key.to_string()),
        rotate_on: rules.rotate_on.iter().map(|one| one.to_string()).collect(),
        rotate_spread_seconds: rules.rotate_spread_seconds,
        warn_before_seconds: rules.warn_before_seconds,
        warn_at_percent: rules.warn_at_percent,
        destroy_old_after_seconds: rules.destroy_old_after_seconds,
        expires_at: rules.expires_at.map(moment),
        destroy_window_seconds: Some(rules.destroy_window_seconds),
        legacy: [
            (rules.legacy.mixed_uses, MIXED_USES),
            (rules.legacy.weak_material, WEAK_MATERIAL),
        ]
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, name)| name.to_owned())
        .collect(),
        without: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_and_format_has_its_word() {
        for word in terms::KeyUse::ALL {
            assert_eq!(use_words(uses(&[*word])), [*word]);
        }
        assert_eq!(use_words(uses(terms::KeyUse::ALL)), terms::KeyUse::ALL);
        for word in terms::KeyFormat::ALL {
            assert_eq!(format(*word).name(), word.word());
        }
        for word in terms::RevocationReason::ALL {
            assert_eq!(reason(*word).name(), word.word());
        }
    }

    #[test]
    fn rules_that_are_not_said_stay() {
        let base = Rules {
            rotate_after_uses: Some(7),
            rotate_after_seconds: Some(9),
            ..Rules::default()
        };
        let said = keys::Rules {
            destroy_window_seconds: Some(5),
            ..keys::Rules::default()
        };
        let (rules, activate_at) = rules(&said, base, None).unwrap();
        assert_eq!(rules.rotate_after_uses, Some(7));
        assert_eq!(rules.rotate_after_seconds, Some(9));
        assert_eq!(rules.destroy_window_seconds, 5);
        assert!(activate_at.is_none());
        let odd = keys::Rules {
            legacy: vec!["sha1".to_owned()],
            ..keys::Rules::default()
        };
        assert!(super::rules(&odd, Rules::default(), None).is_err());
    }
}
