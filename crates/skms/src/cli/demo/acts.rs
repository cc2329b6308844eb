//! The acts that succeed: start, keys, encrypt, sign, agree, encapsulate,
//! rotate.

use std::fs;

use serde_json::Value;
use skms_crypto::hash::Hash;
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, PublicKey};

use super::report::size;
use super::stage::{Result, Stage, Unproved, ensure, unproved};
use crate::cli::output::hex;

/// What was done, and its proof.
pub struct Shown {
    /// What was done.
    pub done: String,
    /// How it was proved.
    pub proof: String,
}

/// An act that succeeded.
pub fn shown(done: impl Into<String>, proof: impl Into<String>) -> Result<Shown> {
    Ok(Shown {
        done: done.into(),
        proof: proof.into(),
    })
}

impl From<skms_crypto::Error> for Unproved {
    fn from(error: skms_crypto::Error) -> Self {
        std::io::Error::other(error).into()
    }
}

/// Where the encrypted file is.
pub const ENCRYPTED: &str = "encrypted.skms";

/// The signatures: key, algorithm, signature's file, further options.
pub const SIGNERS: &[(&str, &str, &str, &[&str])] = &[
    ("sign-ec", "EC-P256", "checksum.ec.sig", &[]),
    ("sign-rsa", "RSA-3072", "checksum.rsa.sig", &[]),
    ("sign-pq", "ML-DSA-65", "checksum.mldsa.sig", &[]),
];

/// What the agreement is for.
pub const INFO: &str = "skms demo";

/// What is encrypted before the rotation.
pub const NOTE: &[u8] = b"sealed before the rotation";

/// Sets up a store, starts the server, and unseals it with two shares.
pub fn start(stage: &mut Stage) -> Result<Shown> {
    let (data, shares, token) = (
        stage.data(),
        stage.private("shares"),
        stage.private("root.token"),
    );
    fs::create_dir_all(stage.private(""))?;
    stage.done(&[
        "init",
        "--data-dir",
        &data.to_string_lossy(),
        "--shamir",
        "2/3",
        "--shares-dir",
        &shares.to_string_lossy(),
        "--token-out",
        &token.to_string_lossy(),
    ])?;
    stage.start_server()?;
    let sealed = stage.run(&["--json", "key", "list"])?;
    ensure(
        (sealed.code, sealed.problem().as_str()) == (7, "sealed"),
        "a sealed server answered",
    )?;
    unseal(stage)?;
    let status = stage.done(&["--json", "status"])?.json()?;
    let tls = &status["tls"];
    let (version, exchange) = (word(&tls["version"]), word(&tls["key_exchange"]));
    ensure(version == "TLSv1_3", "the connection is not TLS 1.3")?;
    ensure(
        exchange == "X25519MLKEM768",
        "the key exchange is not post-quantum",
    )?;
    shown(
        "set up an encrypted SQLite store sealed by 2 of 3 shares; started a server over TLS",
        format!("refused while sealed; then TLS 1.3 with {exchange} (post-quantum)"),
    )
}

/// Gives two of the three shares.
pub fn unseal(stage: &Stage) -> Result<()> {
    let shares = stage.private("shares");
    let share = |number: u8| {
        shares
            .join(format!("share-{number}"))
            .to_string_lossy()
            .into_owned()
    };
    stage
        .done(&[
            "unseal",
            "--share-file",
            &share(1),
            "--share-file",
            &share(3),
        ])
        .map(drop)
}

/// Makes a key of every kind the other acts need.
pub fn keys(stage: &mut Stage) -> Result<Shown> {
    let symmetric = [("files", "AES-256-GCM")];
    let exchange = [("agree", "X25519"), ("kem", "ML-KEM-768")];
    let signing = SIGNERS
        .iter()
        .map(|(name, algorithm, ..)| (*name, *algorithm));
    let all: Vec<_> = symmetric
        .into_iter()
        .chain(signing)
        .chain(exchange)
        .collect();
    for (name, algorithm) in &all {
        stage.done(&["key", "create", name, "--algorithm", algorithm])?;
    }
    let mut checked = 0;
    for (name, algorithm) in all.iter().skip(1) {
        let answer = stage.done(&["--json", "key", "public", name])?.json()?;
        let file = stage.artefact(&format!("{name}.pub.pem"));
        stage.done(&["key", "public", name, "-o", &file.to_string_lossy()])?;
        // Read again by the library, and its fingerprint computed anew.
        let public = PublicKey::import(
            &fs::read(&file)?,
            Format::SpkiPem,
            Some(algorithm.parse::<Algorithm>()?),
        )?;
        let fingerprint = hex(&public.fingerprint());
        ensure(
            word(&answer["fingerprint"]) == fingerprint,
            "a public key's fingerprint differs",
        )?;
        checked += 1;
    }
    let refused = stage.run(&["--json", "key", "export", "files"])?;
    ensure(
        refused.code != 0,
        "a key that is not exportable left the server",
    )?;
    shown(
        "made AES-256, EC P-256, RSA-3072, ML-DSA-65, X25519 and ML-KEM-768 keys",
        format!(
            "{checked} public keys exported and parsed; a secret key: refused ({})",
            refused.problem()
        ),
    )
}

/// Encrypts the file and decrypts it again.
pub fn encrypt(stage: &mut Stage) -> Result<Shown> {
    let (file, encrypted) = (stage.file().to_owned(), stage.artefact(ENCRYPTED));
    let decrypted = stage.artefact("decrypted");
    let (file, encrypted, decrypted) = (
        file.to_string_lossy(),
        encrypted.to_string_lossy(),
        decrypted.to_string_lossy(),
    );
    stage.done(&["encrypt", "files", &file, "-o", &encrypted, "--aad", INFO])?;
    stage.done(&[
        "decrypt", "files", &encrypted, "-o", &decrypted, "--aad", INFO,
    ])?;
    let (before, after) = (sha256(&file)?, sha256(&decrypted)?);
    ensure(before == after, "the decrypted file differs")?;
    ensure(
        sha256(&encrypted)? != before,
        "the encrypted file is the file itself",
    )?;
    shown(
        format!(
            "encrypted {} with AES-256-GCM and decrypted it",
            stage.file_name()
        ),
        format!(
            "{} back byte for byte: SHA-256 {}…",
            size(stage.file_length()),
            before.get(..16).unwrap_or_default()
        ),
    )
}

/// Signs the file's checksum with three algorithms and verifies.
pub fn sign(stage: &mut Stage) -> Result<Shown> {
    let name = stage.file_name();
    let checksum = format!("{}  {name}\n", sha256(&stage.file().to_string_lossy())?);
    let message = stage.artefact("checksum");
    fs::write(&message, &checksum)?;
    let message = message.to_string_lossy();
    let forged = checksum.replacen(&name, "another-file", 1).into_bytes();
    for (key, algorithm, signature, options) in SIGNERS {
        let signature = stage.artefact(signature);
        let signature = signature.to_string_lossy();
        stage.done(&[&["sign", key, &message, "-o", &signature], *options].concat())?;
        let verify = ["verify", key, &message, "--signature", &signature];
        stage.done(&[&verify[..], options].concat())?;
        let verify = ["verify", key, "-", "--signature", &signature];
        let token = stage.private("root.token");
        let refused = stage.run_as(&token, &[&verify[..], options].concat(), &forged)?;
        ensure(
            refused.code == 5,
            &format!("{algorithm} verified another message"),
        )?;
    }
    shown(
        "signed the file's checksum with ECDSA, RSA-PSS and ML-DSA-65 (post-quantum)",
        "3 signatures valid; over an altered message: 3 refused",
    )
}

/// Agrees on a key with a party outside, who computes it by itself.
pub fn agree(stage: &mut Stage) -> Result<Shown> {
    let outside = KeyMaterial::generate(Algorithm::X25519)?;
    let peer = outside
        .public_key()?
        .ok_or(skms_crypto::Error::UnknownAlgorithm)?;
    let private = outside.export(Format::Pkcs8Pem, None)?;
    stage.keep(&stage.artefact("peer.key.pem"), private.expose())?;
    let peer_file = stage.artefact("peer.pub.pem");
    fs::write(&peer_file, peer.export(Format::SpkiPem)?)?;
    let inside = stage.done(&[
        "agree",
        "agree",
        "--peer",
        &peer_file.to_string_lossy(),
        "--info",
        INFO,
        "--encoding",
        "hex",
    ])?;
    let ours = PublicKey::import(
        &fs::read(stage.artefact("agree.pub.pem"))?,
        Format::SpkiPem,
        Some(Algorithm::X25519),
    )?;
    let shared = OpenKey::open(&outside)?.agree(&ours)?;
    let derived = skms_crypto::hkdf(Hash::Sha256, shared.expose(), &[], INFO.as_bytes(), 32)?;
    let expected = hex(derived.expose());
    stage.keep(&stage.artefact("agreed.key"), derived.expose())?;
    ensure(
        inside.text() == expected,
        "the two sides have different keys",
    )?;
    let other = stage.done(&[
        "agree",
        "agree",
        "--peer",
        &peer_file.to_string_lossy(),
        "--info",
        "another",
        "--encoding",
        "hex",
    ])?;
    ensure(
        other.text() != expected,
        "another purpose gave the same key",
    )?;
    shown(
        "agreed on a key by Diffie-Hellman (X25519) with a party outside the server",
        format!(
            "both sides derived {}…; another purpose gives another key",
            expected.get(..16).unwrap_or_default()
        ),
    )
}

/// A party outside encapsulates a secret; the server opens it.
pub fn encapsulate(stage: &mut Stage) -> Result<Shown> {
    let pem = fs::read(stage.artefact("kem.pub.pem"))?;
    let public = PublicKey::import(&pem, Format::SpkiPem, Some(Algorithm::MlKem768))?;
    let (ciphertext, secret) = public.encapsulate()?;
    let file = stage.artefact("encapsulated.bin");
    fs::write(&file, &ciphertext)?;
    let opened = stage.done(&[
        "decapsulate",
        "kem",
        &file.to_string_lossy(),
        "--encoding",
        "hex",
    ])?;
    let secret = hex(secret.expose());
    ensure(
        opened.text() == secret,
        "the two sides have different secrets",
    )?;
    shown(
        "opened a secret that a party outside encapsulated to the ML-KEM-768 key (post-quantum)",
        format!(
            "both sides have {}… from {} of ciphertext",
            secret.get(..16).unwrap_or_default(),
            size(ciphertext.len() as u64)
        ),
    )
}

/// Rotates the file key and moves a ciphertext on.
pub fn rotate(stage: &mut Stage) -> Result<Shown> {
    let token = stage.private("root.token");
    let old = stage.run_as(&token, &["encrypt", "files"], NOTE)?;
    ensure(
        old.code == 0 && old.text().starts_with("skms:v1:"),
        "cannot encrypt with version 1",
    )?;
    stage.keep_private("old.txt", &old.out)?;
    stage.done(&["key", "rotate", "files"])?;
    let still = stage.run_as(&token, &["decrypt", "files"], &old.out)?;
    ensure(
        still.code == 0 && still.out == NOTE,
        "what version 1 encrypted is lost",
    )?;
    let moved = stage.run_as(&token, &["rewrap", "files"], &old.out)?;
    ensure(
        moved.text().starts_with("skms:v2:"),
        "the ciphertext was not moved to version 2",
    )?;
    let back = stage.run_as(&token, &["decrypt", "files"], &moved.out)?;
    ensure(back.out == NOTE, "the moved ciphertext does not decrypt")?;
    stage.keep_private("new.txt", &moved.out)?;
    shown(
        "rotated the AES key to version 2",
        "version 1's ciphertext still decrypts; rewrapped to skms:v2 without leaving the server",
    )
}

/// A string within JSON.
pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The SHA-256 of a file, hexadecimal.
pub fn sha256(path: &str) -> Result<String> {
    use std::io::Read as _;
    let mut hasher = skms_crypto::hash::Hasher::new(Hash::Sha256);
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        match buffer.get(..count) {
            Some(read) if !read.is_empty() => hasher.update(read),
            _ => return Ok(hex(&hasher.finish())),
        }
    }
}

/// The list of keys as JSON, for comparing.
pub fn key_list(stage: &Stage) -> Result<Value> {
    let list = stage.done(&["--json", "key", "list"])?.json()?;
    match list.as_array() {
        Some(keys) if !keys.is_empty() => Ok(list),
        _ => unproved("there are no keys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"abc").unwrap();
        assert_eq!(
            sha256(file.path().to_str().unwrap()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
