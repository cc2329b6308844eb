//! Object identifiers, borrowed: compared as the bytes of their contents.

use std::fmt;

use crate::error::Parse;

/// An object identifier: the contents of its DER encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid<'a>(&'a [u8]);

impl<'a> Oid<'a> {
    /// From the contents of a DER OBJECT IDENTIFIER (X.690, section 8.19).
    pub(crate) fn from_contents(contents: &'a [u8]) -> Parse<Self> {
        if contents.last().is_none_or(|last| last & 0x80 != 0) {
            return Err("an OBJECT IDENTIFIER that does not end");
        }
        let mut starts = true;
        for &byte in contents {
            if starts && byte == 0x80 {
                return Err("an OBJECT IDENTIFIER not minimal");
            }
            starts = byte & 0x80 == 0;
        }
        Ok(Self(contents))
    }

    /// The contents of its DER encoding, without tag and length.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Display for Oid<'_> {
    /// In dotted form; what does not fit 64 bits is written in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut arc: u64 = 0;
        for &byte in self.0 {
            let Some(shifted) = arc.checked_mul(128) else {
                return write!(f, "#{:02x?}", self.0);
            };
            arc = shifted | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            if first {
                let top = (arc / 40).min(2);
                write!(f, "{top}.{}", arc - 40 * top)?;
                first = false;
            } else {
                write!(f, ".{arc}")?;
            }
            arc = 0;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

/// An object identifier that owns its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OidBuf(Vec<u8>);

impl OidBuf {
    /// Borrows it.
    #[must_use]
    pub fn as_oid(&self) -> Oid<'_> {
        Oid(&self.0)
    }
}

impl From<Oid<'_>> for OidBuf {
    fn from(oid: Oid<'_>) -> Self {
        Self(oid.0.to_vec())
    }
}

impl fmt::Display for OidBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_oid().fmt(f)
    }
}

impl fmt::Debug for OidBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_oid().fmt(f)
    }
}

impl std::str::FromStr for OidBuf {
    type Err = crate::Error;

    /// From dotted form, "2.5.29.32.0" for instance.
    fn from_str(text: &str) -> crate::Result<Self> {
        let bad = crate::Error::Malformed {
            what: "object identifier",
            why: "not in dotted form",
        };
        let arcs: Vec<u64> = text
            .split('.')
            .map(|arc| arc.parse().map_err(|_| bad))
            .collect::<crate::Result<_>>()?;
        let [top, second, rest @ ..] = arcs.as_slice() else {
            return Err(bad);
        };
        let fits = *top < 2 && *second < 40 || *top == 2 && *second < u64::MAX - 80;
        if !fits {
            return Err(bad);
        }
        let mut bytes = Vec::new();
        for arc in std::iter::once(top * 40 + second).chain(rest.iter().copied()) {
            let groups = (64 - (arc | 1).leading_zeros()).div_ceil(7);
            for group in (0..groups).rev() {
                let bits = (arc >> (7 * group)) as u8 & 0x7f;
                bytes.push(if group == 0 { bits } else { bits | 0x80 });
            }
        }
        Ok(Self(bytes))
    }
}

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = [$($byte:expr),*];)*) => {
        $($(#[$doc])* pub const $name: Oid<'static> = Oid(&[$($byte),*]);)*
    };
}

oids! {
    /// id-at-commonName: 2.5.4.3.
    COMMON_NAME = [0x55, 4, 3];
    /// id-at-surname: 2.5.4.4.
    SURNAME = [0x55, 4, 4];
    /// id-at-serialNumber: 2.5.4.5.
    SERIAL_NUMBER = [0x55, 4, 5];
    /// id-at-countryName: 2.5.4.6.
    COUNTRY = [0x55, 4, 6];
    /// id-at-localityName: 2.5.4.7.
    LOCALITY = [0x55, 4, 7];
    /// id-at-stateOrProvinceName: 2.5.4.8.
    STATE = [0x55, 4, 8];
    /// id-at-streetAddress: 2.5.4.9.
    STREET = [0x55, 4, 9];
    /// id-at-organizationName: 2.5.4.10.
    ORGANIZATION = [0x55, 4, 10];
    /// id-at-organizationalUnitName: 2.5.4.11.
    ORGANIZATIONAL_UNIT = [0x55, 4, 11];
    /// id-at-title: 2.5.4.12.
    TITLE = [0x55, 4, 12];
    /// id-at-postalCode: 2.5.4.17.
    POSTAL_CODE = [0x55, 4, 17];
    /// id-at-givenName: 2.5.4.42.
    GIVEN_NAME = [0x55, 4, 42];
    /// id-at-pseudonym: 2.5.4.65.
    PSEUDONYM = [0x55, 4, 65];
    /// id-domainComponent: 0.9.2342.19200300.100.1.25.
    DOMAIN_COMPONENT = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
    /// uid (RFC 4519): 0.9.2342.19200300.100.1.1.
    USER_ID = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1];
    /// emailAddress (PKCS #9): 1.2.840.113549.1.9.1.
    EMAIL_ADDRESS = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

    /// subjectKeyIdentifier.
    SUBJECT_KEY_IDENTIFIER = [0x55, 0x1d, 14];
    /// keyUsage.
    KEY_USAGE = [0x55, 0x1d, 15];
    /// subjectAltName.
    SUBJECT_ALT_NAME = [0x55, 0x1d, 17];
    /// issuerAltName.
    ISSUER_ALT_NAME = [0x55, 0x1d, 18];
    /// basicConstraints.
    BASIC_CONSTRAINTS = [0x55, 0x1d, 19];
    /// cRLNumber.
    CRL_NUMBER = [0x55, 0x1d, 20];
    /// reasonCode.
    REASON_CODE = [0x55, 0x1d, 21];
    /// invalidityDate.
    INVALIDITY_DATE = [0x55, 0x1d, 24];
    /// deltaCRLIndicator.
    DELTA_CRL_INDICATOR = [0x55, 0x1d, 27];
    /// issuingDistributionPoint.
    ISSUING_DISTRIBUTION_POINT = [0x55, 0x1d, 28];
    /// certificateIssuer.
    CERTIFICATE_ISSUER = [0x55, 0x1d, 29];
    /// nameConstraints.
    NAME_CONSTRAINTS = [0x55, 0x1d, 30];
    /// cRLDistributionPoints.
    CRL_DISTRIBUTION_POINTS = [0x55, 0x1d, 31];
    /// certificatePolicies.
    CERTIFICATE_POLICIES = [0x55, 0x1d, 32];
    /// anyPolicy: 2.5.29.32.0.
    ANY_POLICY = [0x55, 0x1d, 32, 0];
    /// policyMappings.
    POLICY_MAPPINGS = [0x55, 0x1d, 33];
    /// authorityKeyIdentifier.
    AUTHORITY_KEY_IDENTIFIER = [0x55, 0x1d, 35];
    /// policyConstraints.
    POLICY_CONSTRAINTS = [0x55, 0x1d, 36];
    /// extKeyUsage.
    EXTENDED_KEY_USAGE = [0x55, 0x1d, 37];
    /// anyExtendedKeyUsage: 2.5.29.37.0.
    ANY_EXTENDED_KEY_USAGE = [0x55, 0x1d, 37, 0];
    /// freshestCRL.
    FRESHEST_CRL = [0x55, 0x1d, 46];
    /// inhibitAnyPolicy.
    INHIBIT_ANY_POLICY = [0x55, 0x1d, 54];
    /// authorityInfoAccess: 1.3.6.1.5.5.7.1.1.
    AUTHORITY_INFO_ACCESS = [0x2b, 6, 1, 5, 5, 7, 1, 1];
    /// subjectInfoAccess: 1.3.6.1.5.5.7.1.11.
    SUBJECT_INFO_ACCESS = [0x2b, 6, 1, 5, 5, 7, 1, 11];

    /// id-qt-cps: 1.3.6.1.5.5.7.2.1.
    QUALIFIER_CPS = [0x2b, 6, 1, 5, 5, 7, 2, 1];
    /// id-qt-unotice: 1.3.6.1.5.5.7.2.2.
    QUALIFIER_NOTICE = [0x2b, 6, 1, 5, 5, 7, 2, 2];

    /// id-kp-serverAuth: 1.3.6.1.5.5.7.3.1.
    SERVER_AUTH = [0x2b, 6, 1, 5, 5, 7, 3, 1];
    /// id-kp-clientAuth.
    CLIENT_AUTH = [0x2b, 6, 1, 5, 5, 7, 3, 2];
    /// id-kp-codeSigning.
    CODE_SIGNING = [0x2b, 6, 1, 5, 5, 7, 3, 3];
    /// id-kp-emailProtection.
    EMAIL_PROTECTION = [0x2b, 6, 1, 5, 5, 7, 3, 4];
    /// id-kp-timeStamping.
    TIME_STAMPING = [0x2b, 6, 1, 5, 5, 7, 3, 8];
    /// id-kp-OCSPSigning.
    OCSP_SIGNING = [0x2b, 6, 1, 5, 5, 7, 3, 9];
    /// Certificate Transparency's precertificate signing: 1.3.6.1.4.1.11129.2.4.4.
    PRECERTIFICATE_SIGNING = [0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 4];

    /// id-ad-ocsp: 1.3.6.1.5.5.7.48.1.
    ACCESS_OCSP = [0x2b, 6, 1, 5, 5, 7, 0x30, 1];
    /// id-ad-caIssuers: 1.3.6.1.5.5.7.48.2.
    ACCESS_CA_ISSUERS = [0x2b, 6, 1, 5, 5, 7, 0x30, 2];
    /// The CA/Browser Forum's domain-validated: 2.23.140.1.2.1.
    DOMAIN_VALIDATED = [0x67, 0x81, 0x0c, 1, 2, 1];

    /// id-pkix-ocsp-basic: 1.3.6.1.5.5.7.48.1.1.
    OCSP_BASIC = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
    /// id-pkix-ocsp-nonce.
    OCSP_NONCE = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
    /// id-pkix-ocsp-archive-cutoff.
    OCSP_ARCHIVE_CUTOFF = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 6];
    /// id-pkix-ocsp-nocheck.
    OCSP_NO_CHECK = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];
    /// id-pe-acmeIdentifier (RFC 8737): 1.3.6.1.5.5.7.1.31.
    ACME_IDENTIFIER = [0x2b, 6, 1, 5, 5, 7, 1, 31];

    /// extensionRequest (PKCS #9): 1.2.840.113549.1.9.14.
    EXTENSION_REQUEST = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    /// challengePassword (PKCS #9): 1.2.840.113549.1.9.7.
    CHALLENGE_PASSWORD = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7];
    /// id-aa-decryptKeyID (RFC 4108): 1.2.840.113549.1.9.16.2.37.
    DECRYPT_KEY_ID = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 37];
    /// id-aa-asymmDecryptKeyID (RFC 7030): 1.2.840.113549.1.9.16.2.54.
    ASYMMETRIC_DECRYPT_KEY_ID = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 54];

    /// id-data (CMS): 1.2.840.113549.1.7.1.
    CMS_DATA = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    /// id-signedData: 1.2.840.113549.1.7.2.
    CMS_SIGNED_DATA = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    /// contentType (PKCS #9): 1.2.840.113549.1.9.3.
    CONTENT_TYPE = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    /// messageDigest (PKCS #9): 1.2.840.113549.1.9.4.
    MESSAGE_DIGEST = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    /// signingTime (PKCS #9): 1.2.840.113549.1.9.5.
    SIGNING_TIME = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5];
    /// id-aa-signingCertificateV2: 1.2.840.113549.1.9.16.2.47.
    SIGNING_CERTIFICATE_V2 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];

    /// id-ct-TSTInfo: 1.2.840.113549.1.9.16.1.4.
    TST_INFO = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];

    /// SHA-1: 1.3.14.3.2.26.
    SHA1 = [0x2b, 0x0e, 3, 2, 0x1a];
    /// SHA-256: 2.16.840.1.101.3.4.2.1.
    SHA256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    /// SHA-384.
    SHA384 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    /// SHA-512.
    SHA512 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    /// SHA3-256.
    SHA3_256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8];
    /// SHA3-384.
    SHA3_384 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 9];
    /// SHA3-512.
    SHA3_512 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10];
    /// id-mgf1: 1.2.840.113549.1.1.8.
    MGF1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

    /// rsaEncryption: 1.2.840.113549.1.1.1.
    RSA_ENCRYPTION = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    /// id-ecPublicKey: 1.2.840.10045.2.1.
    EC_PUBLIC_KEY = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    /// secp256r1: 1.2.840.10045.3.1.7.
    P256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    /// secp384r1: 1.3.132.0.34.
    P384 = [0x2b, 0x81, 4, 0, 0x22];
    /// secp521r1: 1.3.132.0.35.
    P521 = [0x2b, 0x81, 4, 0, 0x23];
    /// id-Ed25519: 1.3.101.112.
    ED25519 = [0x2b, 0x65, 0x70];

    /// RSASSA-PSS: 1.2.840.113549.1.1.10.
    RSA_PSS = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    /// md5WithRSAEncryption.
    RSA_MD5 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    /// sha1WithRSAEncryption.
    RSA_SHA1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    /// sha256WithRSAEncryption.
    RSA_SHA256 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    /// sha384WithRSAEncryption.
    RSA_SHA384 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    /// sha512WithRSAEncryption.
    RSA_SHA512 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    /// sha224WithRSAEncryption.
    RSA_SHA224 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14];
    /// ecdsa-with-SHA1: 1.2.840.10045.4.1.
    ECDSA_SHA1 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    /// ecdsa-with-SHA224.
    ECDSA_SHA224 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1];
    /// ecdsa-with-SHA256: 1.2.840.10045.4.3.2.
    ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    /// ecdsa-with-SHA384.
    ECDSA_SHA384 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    /// ecdsa-with-SHA512.
    ECDSA_SHA512 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
}

/// The arc of ML-DSA and SLH-DSA: 2.16.840.1.101.3.4.3, numbers 17 to 31
/// (RFC 9881, RFC 9909).
pub(crate) const NIST_SIGNATURES: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];

/// The last number of an identifier in NIST's arc of signature algorithms.
pub(crate) fn nist_signature(oid: Oid<'_>) -> Option<u8> {
    match oid.as_bytes().strip_prefix(&NIST_SIGNATURES)? {
        [number] => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_form_goes_both_ways() {
        for text in [
            "2.5.29.32.0",
            "1.2.840.113549.1.1.11",
            "0.9.2342.19200300.100.1.25",
            "2.999.1",
            "1.3.6.1.4.1.11129.2.4.4",
        ] {
            let oid: OidBuf = text.parse().unwrap();
            assert_eq!(oid.to_string(), text);
            assert!(Oid::from_contents(oid.as_oid().as_bytes()).is_ok());
        }
        assert_eq!(ANY_POLICY.to_string(), "2.5.29.32.0");
        for bad in ["", "1", "3.1", "1.40", "1.2.x", "1..2"] {
            assert!(bad.parse::<OidBuf>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_contents_are_refused() {
        for bad in [
            &[][..],
            &[0x80, 1][..],
            &[0x2a, 0x80, 1][..],
            &[0x2a, 0x86][..],
        ] {
            assert!(Oid::from_contents(bad).is_err());
        }
    }
}
