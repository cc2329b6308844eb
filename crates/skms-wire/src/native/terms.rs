//! The closed sets of words that messages use.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// Declares an enum whose JSON words are also its text form, in one list.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used in JSON and on the command line.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        // By hand: the derive does not see words that come from a macro.
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .description(Some(concat!($($about),+).trim()))
                    .enum_values(Some([$($word),+]))
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|value| value.word() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|value| value.word()).collect();
                    UnknownWord { known: words.join(", ") }
                })
            }
        }
    };
}

/// A word outside its closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {known}")]
pub struct UnknownWord {
    /// The words that would have been understood.
    pub known: String,
}

words! {
    /// A key version's state (NIST SP 800-57 part 1 rev. 5, section 7).
    KeyState {
        /// Not yet usable.
        PreActivation = "pre-activation",
        /// Protects and processes.
        Active = "active",
        /// Neither, until resumed.
        Suspended = "suspended",
        /// Processes what was protected before.
        Deactivated = "deactivated",
        /// Processes only under a recovery grant.
        Compromised = "compromised",
        /// The material is gone.
        Destroyed = "destroyed",
    }
}

words! {
    /// What a key may be used for.
    KeyUse {
        /// Encrypt data.
        Encrypt = "encrypt",
        /// Decrypt data.
        Decrypt = "decrypt",
        /// Wrap keys.
        Wrap = "wrap",
        /// Unwrap keys.
        Unwrap = "unwrap",
        /// Sign.
        Sign = "sign",
        /// Verify signatures.
        Verify = "verify",
        /// Make MACs.
        Mac = "mac",
        /// Verify MACs.
        MacVerify = "mac-verify",
        /// Derive keys (HKDF).
        Derive = "derive",
        /// Agree on secrets (Diffie-Hellman).
        Agree = "agree",
        /// Encapsulate shared secrets (KEM).
        Encapsulate = "encapsulate",
        /// Decapsulate shared secrets (KEM).
        Decapsulate = "decapsulate",
    }
}

words! {
    /// Where a version's material came from.
    Origin {
        /// Made here.
        Generated = "generated",
        /// Brought by its owner.
        Imported = "imported",
        /// Agreed on with a peer, by Diffie-Hellman.
        Agreed = "agreed",
        /// Derived from another key here.
        Derived = "derived",
        /// Brought wrapped by another key here.
        Unwrapped = "unwrapped",
    }
}

words! {
    /// Where a re-encryption job stands.
    JobState {
        /// No batch came yet.
        Ready = "ready",
        /// Batches come in.
        Running = "running",
        /// None are taken until it is resumed.
        Paused = "paused",
        /// It ended, and everything it saw is where it should be.
        Finished = "finished",
        /// It ended, and something it saw could not be moved.
        Failed = "failed",
        /// Somebody ended it early.
        Cancelled = "cancelled",
    }
}

words! {
    /// What a re-encryption job is told.
    JobStep {
        /// To take no batches for now.
        Pause = "pause",
        /// To take them again.
        Resume = "resume",
        /// That there are no more.
        Finish = "finish",
        /// That nobody goes on with it.
        Cancel = "cancel",
    }
}

words! {
    /// What became of an item of a re-encryption job.
    JobOutcome {
        /// It is encrypted anew.
        Moved = "moved",
        /// It is at the newest version, and opens.
        Newest = "newest",
        /// It could not be moved.
        Failed = "failed",
    }
}

words! {
    /// How far a compromise goes along a key's lineage.
    IncidentReach {
        /// The key alone: what depends on it stays in use.
        None = "none",
        /// What depends on it by itself, and no further.
        Direct = "direct",
        /// Everything that depends on it.
        All = "all",
    }
}

words! {
    /// Which keys are given a new version after a compromise.
    IncidentRotation {
        /// None.
        None = "none",
        /// Those whose rules say that they are rotated.
        Rule = "rule",
        /// Every one that can be.
        All = "all",
    }
}

words! {
    /// Why a key was revoked (RFC 5280, section 5.3.1).
    RevocationReason {
        /// No reason given.
        Unspecified = "unspecified",
        /// The key is known or suspected to be in other hands.
        KeyCompromise = "keyCompromise",
        /// The certification authority's key is.
        CaCompromise = "cACompromise",
        /// The holder's name or affiliation changed.
        AffiliationChanged = "affiliationChanged",
        /// Replaced by another key.
        Superseded = "superseded",
        /// No longer needed.
        CessationOfOperation = "cessationOfOperation",
        /// On hold for now; can be resumed.
        CertificateHold = "certificateHold",
        /// Taken off a hold.
        RemoveFromCrl = "removeFromCRL",
        /// A privilege was withdrawn.
        PrivilegeWithdrawn = "privilegeWithdrawn",
        /// The attribute authority's key is compromised.
        AaCompromise = "aACompromise",
    }
}

words! {
    /// How key bytes are written.
    KeyFormat {
        /// The bare bytes the algorithm's standard defines.
        Raw = "raw",
        /// PKCS#8 (RFC 5958), DER.
        Pkcs8 = "pkcs8",
        /// PKCS#8, PEM.
        Pkcs8Pem = "pkcs8-pem",
        /// SEC 1 (RFC 5915), DER.
        Sec1 = "sec1",
        /// SEC 1, PEM.
        Sec1Pem = "sec1-pem",
        /// PKCS#1 (RFC 8017), DER.
        Pkcs1 = "pkcs1",
        /// PKCS#1, PEM.
        Pkcs1Pem = "pkcs1-pem",
        /// SubjectPublicKeyInfo (RFC 5280), DER.
        Spki = "spki",
        /// SubjectPublicKeyInfo, PEM.
        SpkiPem = "spki-pem",
        /// JSON Web Key (RFC 7517).
        Jwk = "jwk",
        /// Found out from the bytes; import only.
        Auto = "auto",
    }
}

words! {
    /// How a wrapping key wraps.
    WrapMode {
        /// The wrapping key's own algorithm: AES-KW or AES-KWP by the key,
        /// RSAES-OAEP for RSA.
        Direct = "direct",
        /// RSAES-OAEP around a fresh AES key, AES-KWP under it (the usual
        /// form for bringing private keys).
        OaepKwp = "oaep-kwp",
    }
}

words! {
    /// A signature scheme, where the key's type allows more than one.
    SignatureScheme {
        /// RSASSA-PSS (RFC 8017); the default for RSA.
        RsaPss = "rsa-pss",
        /// RSASSA-PKCS1-v1_5 (RFC 8017).
        RsaPkcs1v15 = "rsa-pkcs1-v1_5",
        /// ECDSA (FIPS 186-5).
        Ecdsa = "ecdsa",
        /// Ed25519 (RFC 8032).
        Ed25519 = "ed25519",
        /// ML-DSA (FIPS 204).
        MlDsa = "ml-dsa",
        /// SLH-DSA (FIPS 205).
        SlhDsa = "slh-dsa",
    }
}

words! {
    /// How an ECDSA signature is written.
    SignatureEncoding {
        /// ASN.1 DER; the default.
        Der = "der",
        /// r and s side by side, each as long as the group order (IEEE P1363).
        P1363 = "p1363",
    }
}

words! {
    /// What holds a seal.
    SealKind {
        /// A passphrase, through Argon2id.
        Passphrase = "passphrase",
        /// k of n shares.
        Shamir = "shamir",
        /// A file of random bytes.
        KeyFile = "key-file",
    }
}

words! {
    /// How an act ended.
    Outcome {
        /// It was done.
        Success = "success",
        /// It was not allowed.
        Denied = "denied",
        /// It was allowed and could not be done.
        Failed = "failed",
    }
}

words! {
    /// The rules that a certificate is held against.
    ValidationProfile {
        /// RFC 5280, section 6, for any infrastructure.
        Rfc5280 = "rfc5280",
        /// The web's: RFC 5280 with its duties of authorities, and the
        /// CA/Browser Forum's TLS Baseline Requirements.
        Web = "web",
    }
}

words! {
    /// How hard to look for revocation.
    RevocationCheck {
        /// Not at all.
        Off = "off",
        /// What is known to be revoked is refused.
        Known = "known",
        /// What is not known to be good is refused.
        Required = "required",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_words_are_the_text_form() {
        for reason in RevocationReason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.word()));
            assert_eq!(reason.word().parse::<RevocationReason>().unwrap(), *reason);
        }
        let schema = serde_json::to_value(RevocationReason::schema()).unwrap();
        let words: Vec<_> = RevocationReason::ALL.iter().map(|one| one.word()).collect();
        assert_eq!(schema["enum"], serde_json::json!(words));
        assert!("keycompromise".parse::<RevocationReason>().is_err());
        assert!(serde_json::from_str::<KeyState>("\"Active\"").is_err());
    }
}
