//! RSA keys of chosen primes, as nobody should make them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dashu_int::UBig;
use dashu_int::fast_div::ConstDivisor;
use skms_crypto::{Algorithm, Format, KeyMaterial};

/// Two primes of 1024 bits, fresh from the library.
pub fn primes() -> [UBig; 2] {
    let key = KeyMaterial::generate(Algorithm::Rsa2048).unwrap();
    let der = key.export(Format::Pkcs1Der, None).unwrap();
    let numbers = integers(der.expose());
    // version, n, e, d, p, q, ..
    [numbers[4].clone(), numbers[5].clone()]
}

/// The integers in the only sequence of some DER.
pub fn integers(der: &[u8]) -> Vec<UBig> {
    let (_, mut at) = length(der, 1);
    let mut found = Vec::new();
    while at < der.len() {
        let (length, begin) = length(der, at + 1);
        found.push(UBig::from_be_bytes(&der[begin..begin + length]));
        at = begin + length;
    }
    found
}

fn length(der: &[u8], at: usize) -> (usize, usize) {
    match der[at] {
        short @ 0..=0x7f => (usize::from(short), at + 1),
        long => {
            let count = usize::from(long & 0x7f);
            let bytes = &der[at + 1..at + 1 + count];
            let value = bytes
                .iter()
                .fold(0, |all, byte| (all << 8) | usize::from(*byte));
            (value, at + 1 + count)
        }
    }
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(u8::try_from(length).unwrap()),
        0x80..0x100 => out.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            out.push(0x82);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    out.extend(contents);
    out
}

fn integer(value: &UBig) -> Vec<u8> {
    let mut bytes = value.to_be_bytes().into_vec();
    if bytes.first().is_none_or(|first| first & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    tlv(2, &bytes)
}

/// The RSAPrivateKey of two primes.
pub fn private(p: &UBig, q: &UBig) -> Vec<u8> {
    let one = UBig::ONE;
    let e = UBig::from(65_537_u32);
    let inverse = |value: &UBig, modulus: &UBig| {
        let ring = ConstDivisor::new(modulus.clone());
        ring.reduce(value % modulus).inv().unwrap().residue()
    };
    let (less_p, less_q) = (p - &one, q - &one);
    let d = inverse(&e, &(&less_p * &less_q));
    let numbers = [
        UBig::ZERO,
        p * q,
        e,
        d.clone(),
        p.clone(),
        q.clone(),
        &d % &less_p,
        d % &less_q,
        inverse(q, p),
    ];
    tlv(
        0x30,
        &numbers.iter().map(integer).collect::<Vec<_>>().concat(),
    )
}

/// That key in PKCS #8, as PEM.
pub fn pkcs8_pem(pkcs1: &[u8]) -> Vec<u8> {
    const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let parts = [tlv(2, &[0]), tlv(0x30, RSA), tlv(4, pkcs1)];
    let text = STANDARD.encode(tlv(0x30, &parts.concat()));
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n").into_bytes()
}

/// That key as a JWK.
pub fn jwk(pkcs1: &[u8]) -> Vec<u8> {
    let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
    let numbers = integers(pkcs1);
    let members = names.iter().zip(&numbers[1..]).map(|(name, number)| {
        let text = URL_SAFE_NO_PAD.encode(number.to_be_bytes());
        format!("\"{name}\":\"{text}\"")
    });
    let members: Vec<String> = members.collect();
    format!("{{\"kty\":\"RSA\",{}}}", members.join(",")).into_bytes()
}

/// The line of an OpenSSH public key with this modulus.
pub fn ssh_line(n: &UBig) -> String {
    let mut modulus = n.to_be_bytes().into_vec();
    if modulus.first().is_none_or(|first| first & 0x80 != 0) {
        modulus.insert(0, 0);
    }
    let mut blob = Vec::new();
    for field in [&b"ssh-rsa"[..], &[1, 0, 1], &modulus] {
        blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend(field);
    }
    format!("ssh-rsa {} someone", STANDARD.encode(blob))
}
