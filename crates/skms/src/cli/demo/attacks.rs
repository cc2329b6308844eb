//! The acts in which something must fail: tampering, intruders, a compromised
//! key, a crash, and a thief with the database.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::acts::{ENCRYPTED, INFO, NOTE, Shown, key_list, shown, unseal, word};
use super::report::size;
use super::stage::{Result, Stage, ensure, unproved};
use crate::cli::output::hex;

/// Names that are planted in the store and must not be found in its files.
const PLANTED: &[&str] = &["meridian-ledger", "harvest-office", "orchard-gate"];

/// Flips one bit of the encrypted file, and tells another story about it.
pub fn tamper(stage: &mut Stage) -> Result<Shown> {
    let encrypted = stage.artefact(ENCRYPTED);
    let mut bytes = fs::read(&encrypted)?;
    let flipped = flip(&mut bytes)?;
    let altered = stage.keep_private("altered", &bytes)?;
    let altered = altered.to_string_lossy();
    let refused = stage.run(&["--json", "decrypt", "files", &altered, "--aad", INFO])?;
    ensure(refused.code == 5, "a flipped bit went unnoticed")?;
    let encrypted = encrypted.to_string_lossy();
    let told = stage.run(&[
        "--json",
        "decrypt",
        "files",
        &encrypted,
        "--aad",
        "another story",
    ])?;
    ensure(told.code == 5, "other associated data went unnoticed")?;
    shown(
        format!(
            "flipped one bit of {} ({flipped}), then changed what it is bound to",
            size(bytes.len() as u64)
        ),
        format!("both refused ({}), nothing decrypted", told.problem()),
    )
}

/// Flips a bit of the last block: of the text form's bytes, or of an age file.
fn flip(bytes: &mut Vec<u8>) -> Result<&'static str> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.trim().parse::<skms_wire::Ciphertext>().ok());
    if let Some(ciphertext) = text {
        let mut inner = ciphertext.bytes.into_inner();
        if let Some(byte) = inner.last_mut() {
            *byte ^= 1;
        }
        *bytes = skms_wire::Ciphertext::new(ciphertext.version, inner)
            .to_string()
            .into_bytes();
        return Ok("the last bit of the tag");
    }
    let middle = bytes.len() / 2;
    match bytes.get_mut(middle) {
        Some(byte) => *byte ^= 1,
        None => return unproved("the encrypted file is empty"),
    }
    Ok("in the middle")
}

/// Comes with a wrong token, and with a token that may not decrypt.
pub fn intrude(stage: &mut Stage) -> Result<Shown> {
    let wrong = stage.keep_private("wrong.token", b"skms.wrong-token-0000000000000000000000\n")?;
    let unknown = stage.run_as(&wrong, &["--json", "key", "list"], b"")?;
    ensure(
        (unknown.code, unknown.problem().as_str()) == (3, "unauthenticated"),
        "a wrong token was let in",
    )?;
    let reader = stage.private("reader.token");
    stage.done(&[
        "token",
        "create",
        "--principal",
        "rita",
        "--group",
        "reader",
        "-o",
        &reader.to_string_lossy(),
    ])?;
    let listed = stage.run_as(&reader, &["--json", "key", "list"], b"")?;
    ensure(listed.code == 0, "the reader may not even read")?;
    let old = stage.artefact(ENCRYPTED);
    let old = old.to_string_lossy();
    let denied = stage.run_as(
        &reader,
        &["--json", "decrypt", "files", &old, "--aad", INFO],
        b"",
    )?;
    ensure(denied.code == 3, "a reader decrypted")?;
    shown(
        "came with a wrong token, then with a token that may list keys but not use them",
        format!(
            "refused ({}); listing allowed, decrypting refused ({})",
            unknown.problem(),
            denied.problem()
        ),
    )
}

/// Revokes the file key's first version as compromised.
pub fn revoke(stage: &mut Stage) -> Result<Shown> {
    let token = stage.private("root.token");
    let old = fs::read(stage.private("old.txt"))?;
    stage.done(&[
        "key",
        "revoke",
        "files",
        "--version",
        "1",
        "--reason",
        "keyCompromise",
        "--message",
        "demo",
    ])?;
    let refused = stage.run_as(&token, &["--json", "decrypt", "files"], &old)?;
    ensure(
        (refused.code, refused.problem().as_str()) == (4, "wrong-state"),
        "a compromised version still decrypts",
    )?;
    let new = fs::read(stage.private("new.txt"))?;
    let fine = stage.run_as(&token, &["decrypt", "files"], &new)?;
    ensure(fine.code == 0, "version 2 was revoked too")?;
    shown(
        "revoked version 1 of the AES key as compromised",
        format!(
            "its ciphertext is refused ({}); version 2 goes on",
            refused.problem()
        ),
    )
}

/// Kills the server without warning, starts it again and unseals it.
pub fn crash(stage: &mut Stage) -> Result<Shown> {
    plant(stage)?;
    let (keys, events) = (key_list(stage)?, events(stage)?);
    stage.kill_server()?;
    let gone = stage.run(&["--json", "key", "list"])?;
    ensure(gone.code == 6, "a dead server answered")?;
    stage.start_server()?;
    unseal(stage)?;
    ensure(key_list(stage)? == keys, "keys differ after the crash")?;
    let after = self::events(stage)?;
    ensure(
        events.iter().all(|event| after.contains(event)),
        "an acknowledged event is lost",
    )?;
    let new = fs::read(stage.private("new.txt"))?;
    let token = stage.private("root.token");
    let back = stage.run_as(&token, &["decrypt", "files"], &new)?;
    ensure(
        back.code == 0,
        "what was encrypted before the crash is lost",
    )?;
    let report = stage.done(&["--json", "storage", "verify"])?.json()?;
    ensure(report["intact"] == true, "the store does not verify")?;
    shown(
        "killed the server (kill -9), started it again, unsealed it",
        format!(
            "nothing lost: {} keys, {} events, {} records verified",
            keys.as_array().map_or(0, Vec::len),
            events.len(),
            report["records"]
        ),
    )
}

/// The identifiers of every event so far.
fn events(stage: &Stage) -> Result<Vec<String>> {
    let lines = stage.done(&["--json", "log", "tail", "--lines", "100000"])?;
    let events: Vec<_> = lines
        .text()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|event| word(&event["id"]).to_owned())
        .collect();
    ensure(!events.is_empty(), "there are no events")?;
    Ok(events)
}

/// Puts names and a known secret key into the store, to search for later.
fn plant(stage: &Stage) -> Result<()> {
    let [key, owner, tag] = PLANTED else {
        return unproved("the planted names are three");
    };
    let token = stage.private("root.token");
    let import = [
        "key",
        "import",
        key,
        "--in",
        "-",
        "--format",
        "raw",
        "--algorithm",
        "AES-256-GCM",
        "--owner",
        owner,
        "--tag",
        &format!("place={tag}"),
    ];
    let secret = skms_crypto::rand::secret(32)?;
    stage.keep_private("planted.key", secret.expose())?;
    let ran = stage.run_as(&token, &import, secret.expose())?;
    ensure(ran.code == 0, "cannot plant a key")
}

/// Searches everything that the server wrote for what it must not show.
pub fn search(stage: &mut Stage) -> Result<Shown> {
    let secret = fs::read(stage.private("planted.key"))?;
    let token = fs::read(stage.private("root.token"))?;
    let mut wanted: Vec<Vec<u8>> = PLANTED
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    wanted.push(token.trim_ascii().to_vec());
    wanted.extend([
        secret.clone(),
        hex(&secret).into_bytes(),
        STANDARD.encode(&secret).into_bytes(),
    ]);
    wanted.push(b"AES-256-GCM".to_vec());
    wanted.push(NOTE.to_vec());
    wanted.push(fs::read(stage.artefact("checksum"))?.trim_ascii().to_vec());
    for share in 1..=3 {
        let text = fs::read(stage.private(&format!("shares/share-{share}")))?;
        wanted.push(text.trim_ascii().to_vec());
    }
    let mut files = Vec::new();
    walk(&stage.data(), &mut files)?;
    files.push(stage.private("server.log"));
    let (mut searched, mut control) = (0, 0);
    for path in &files {
        let bytes = fs::read(path)?;
        searched += bytes.len() as u64;
        // The search itself must be able to find something.
        control += usize::from(contains(&bytes, b"SQLite format 3"));
        for needle in &wanted {
            if contains(&bytes, needle) {
                return unproved(format!(
                    "something planted is readable in {}",
                    path.display()
                ));
            }
        }
    }
    ensure(
        control > 0,
        "the search does not even find SQLite's own header",
    )?;
    shown(
        format!(
            "searched the database, the journal and the log as a thief would ({})",
            size(searched)
        ),
        format!(
            "{} names and secrets planted, none readable in {} files",
            wanted.len(),
            files.len()
        ),
    )
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Whether the bytes contain the needle.
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = bytes
        .get(from..)
        .and_then(|tail| tail.iter().position(|b| b == first))
    {
        from += at + 1;
        if bytes.get(from..).is_some_and(|tail| tail.starts_with(rest)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_what_is_there() {
        assert!(contains(b"abcabd", b"abd"));
        assert!(contains(b"abc", b"abc"));
        assert!(contains(b"aab", b"ab"));
        assert!(!contains(b"abcab", b"abd"));
        assert!(!contains(b"", b"a") && !contains(b"a", b""));
    }

    #[test]
    fn flipping_changes_one_bit_of_the_ciphertext() {
        let mut text = b"skms:v1:AAAA\n".to_vec();
        flip(&mut text).unwrap();
        assert_eq!(text, b"skms:v1:AAAB");
        let mut age = b"age-encryption.org/v1 and so on".to_vec();
        let before = age.clone();
        flip(&mut age).unwrap();
        let bits: u32 = age
            .iter()
            .zip(&before)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!(bits, 1);
        assert!(flip(&mut Vec::new()).is_err());
    }
}
