//! The `openssl` commands that check the artefacts again without SKMS.

use super::acts::INFO;
use super::stage::Stage;

/// The commands, to be run one after the other.
pub fn commands(stage: &Stage) -> Vec<String> {
    let info = INFO
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    vec![
        format!("cd {}", quoted(&stage.folder().to_string_lossy())),
        "sha256sum -c checksum".to_owned(),
        format!("cmp decrypted {}", quoted(&stage.file_name())),
        "openssl dgst -sha256 -verify sign-ec.pub.pem -signature checksum.ec.sig checksum"
            .to_owned(),
        "openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify sign-rsa.pub.pem \
         -signature checksum.rsa.sig checksum"
            .to_owned(),
        "openssl pkeyutl -derive -inkey peer.key.pem -peerkey agree.pub.pem -out shared.bin"
            .to_owned(),
        format!(
            "openssl kdf -binary -keylen 32 -kdfopt digest:SHA256 \
             -kdfopt hexkey:$(od -An -vtx1 shared.bin | tr -d ' \\n') -kdfopt hexinfo:{info} HKDF \
             | cmp - agreed.key"
        ),
        "openssl pkeyutl -verify -pubin -inkey sign-pq.pub.pem -rawin -in checksum \
         -sigfile checksum.mldsa.sig   # OpenSSL 3.5 or newer"
            .to_owned(),
    ]
}

/// Quotes for a shell what is not plain.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(quoted("a/b-c_1.txt"), "a/b-c_1.txt");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("$(rm -rf x)"), "'$(rm -rf x)'");
    }
}
