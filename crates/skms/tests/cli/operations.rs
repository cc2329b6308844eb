//! What keys do: from files and standard input, to files and standard output.

use std::fs;

use crate::support::{Server, is_private};

#[test]
fn encryption_binds_and_refuses() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "XAES-256-GCM"])
        .ok();
    server
        .run(&["key", "create", "other", "-a", "XAES-256-GCM"])
        .ok();
    server.file("in", b"\x00binary\xff");
    server
        .run(&["encrypt", "k", "in", "-o", "out", "--aad", "row 7"])
        .ok();
    server
        .run(&["decrypt", "k", "out", "-o", "back", "--aad", "row 7"])
        .ok();
    assert_eq!(fs::read(server.path("back")).unwrap(), b"\x00binary\xff");
    assert!(is_private(&server.path("back")));

    server.run(&["decrypt", "k", "out"]).fails(5, "--aad");
    server
        .run(&["decrypt", "k", "out", "--aad", "row 8"])
        .fails(5, "");
    server
        .run(&["decrypt", "other", "out", "--aad", "row 7"])
        .fails(5, "");
    server
        .run_with(&["decrypt", "k"], b"not a ciphertext")
        .fails(2, "skms:v");
    server
        .run_with(&["decrypt", "k"], b"skms:v1:AAAA")
        .fails(5, "");
    server
        .run_with(&["decrypt", "k"], b"skms:v9:AAAA")
        .fails(3, "");
    assert!(!server.path("nothing").exists());
    server
        .run(&["decrypt", "k", "out", "-o", "nothing"])
        .fails(5, "");
    assert!(
        !server.path("nothing").exists(),
        "a failed decryption leaves no file"
    );
    let json = server.json(&["decrypt", "k", "out", "--aad", "row 7"]);
    assert_eq!(json["plaintext"], "AGJpbmFyef8=");
}

#[test]
fn large_files_are_encrypted_here_and_cannot_be_altered_or_cut() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    let data: Vec<u8> = (0..2_000_003_u32).map(|at| (at * 7 % 251) as u8).collect();
    server.file("large", &data);
    server
        .run(&["encrypt", "k", "large", "-o", "large.age"])
        .ok();
    let sealed = fs::read(server.path("large.age")).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> skms "));
    server
        .run(&["decrypt", "k", "large.age", "-o", "back"])
        .ok();
    assert_eq!(fs::read(server.path("back")).unwrap(), data);
    assert_eq!(server.run_with(&["decrypt", "k"], &sealed).ok().out, data);

    let mut altered = sealed.clone();
    let at = altered.len() - 5;
    altered[at] ^= 1;
    server.file("altered", &altered);
    server
        .run(&["decrypt", "k", "altered", "-o", "no"])
        .fails(5, "does not authenticate");
    server.file("cut", &sealed[..sealed.len() - 70_000]);
    server
        .run(&["decrypt", "k", "cut", "-o", "no"])
        .fails(5, "does not authenticate");
    assert!(!server.path("no").exists());
    server
        .run_with(&["rewrap", "k"], &sealed)
        .fails(2, "decrypt it and encrypt it again");

    let small = server
        .run_with(&["encrypt", "k", "--age"], b"tiny")
        .ok()
        .out;
    assert_eq!(server.run_with(&["decrypt", "k"], &small).ok().out, b"tiny");
}

#[test]
fn signatures_by_message_and_by_digest() {
    let server = Server::dev();
    server.file("m", b"message");
    for (key, algorithm, options) in [
        ("ec", "EC-P256", &["--signature-form", "p1363"][..]),
        (
            "rsa",
            "RSA-2048",
            &["--scheme", "rsa-pkcs1-v1_5", "--hash", "SHA-384"],
        ),
        ("ed", "Ed25519", &[]),
        ("pq", "ML-DSA-44", &["--context", "tests"]),
    ] {
        server.run(&["key", "create", key, "-a", algorithm]).ok();
        let sign = [&["sign", key, "m", "-o", "s"], options].concat();
        server.run(&sign).ok();
        let verify = [&["verify", key, "m", "-s", "s"], options].concat();
        assert!(server.run(&verify).ok().text().contains("valid"));
        let other = [&["verify", key, "-", "-s", "s"], options].concat();
        server.run_with(&other, b"another").fails(5, "not valid");
        let text = server
            .run(&[&["sign", key, "m"], options].concat())
            .ok()
            .out;
        server.file("s64", &text);
        server
            .run(&[&["verify", key, "m", "-s", "s64"], options].concat())
            .ok();
    }
    server
        .run(&[
            "sign",
            "ec",
            "m",
            "--prehash",
            "--hash",
            "SHA-256",
            "-o",
            "s",
        ])
        .ok();
    server.run(&["verify", "ec", "m", "-s", "s"]).ok();
    let digest = server.run(&["hash", "m", "--encoding", "raw"]).ok().out;
    server.file("d", &digest);
    server
        .run(&[
            "verify", "ec", "d", "--digest", "--hash", "SHA-256", "-s", "s",
        ])
        .ok();
    server
        .run(&["sign", "ec", "m", "--prehash"])
        .fails(2, "--hash");
    server
        .run(&["sign", "ec", "m", "--prehash", "--hash", "MD5"])
        .fails(2, "not a hash");
}

#[test]
fn macs_derivation_agreement_and_encapsulation() {
    let server = Server::dev();
    server.file("m", b"message");
    server
        .run(&["key", "create", "mac", "-a", "HMAC-SHA-256"])
        .ok();
    server.run(&["mac", "mac", "m", "-o", "tag"]).ok();
    server.run(&["mac", "mac", "m", "--verify", "tag"]).ok();
    server
        .run_with(&["mac", "mac", "-", "--verify", "tag"], b"other")
        .fails(5, "not valid");

    server
        .run(&["key", "create", "kdf", "-a", "HKDF-SHA-256"])
        .ok();
    let derive = [
        "derive",
        "kdf",
        "--length",
        "20",
        "--info",
        "a",
        "--encoding",
        "hex",
    ];
    let one = server.text(&derive);
    assert_eq!((one.len(), server.text(&derive)), (40, one.clone()));
    assert_ne!(
        server.text(&[
            "derive",
            "kdf",
            "--length",
            "20",
            "--info",
            "b",
            "--encoding",
            "hex"
        ]),
        one
    );

    for side in ["alice", "bob"] {
        server
            .run(&["key", "create", side, "-a", "EC-P256", "--use", "agree"])
            .ok();
        server.run(&["key", "public", side, "-o", side]).ok();
    }
    let ours = server.text(&["agree", "alice", "--peer", "bob", "--info", "test"]);
    assert_eq!(
        server.text(&["agree", "bob", "--peer", "alice", "--info", "test"]),
        ours
    );
    server.run(&["agree", "alice", "--peer", "m"]).fails(2, "");

    server
        .run(&["key", "create", "kem", "-a", "ML-KEM-768"])
        .ok();
    server
        .run(&[
            "encapsulate",
            "kem",
            "--ciphertext-out",
            "c",
            "-o",
            "secret",
        ])
        .ok();
    assert!(is_private(&server.path("secret")));
    server.run(&["decapsulate", "kem", "c", "-o", "again"]).ok();
    assert_eq!(
        fs::read(server.path("secret")).unwrap(),
        fs::read(server.path("again")).unwrap()
    );
}

#[test]
fn data_keys_random_bytes_and_hashes() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    server
        .run(&["datakey", "k", "-o", "dek", "--wrapped-out", "wrapped"])
        .ok();
    let dek = fs::read(server.path("dek")).unwrap();
    assert_eq!((dek.len(), is_private(&server.path("dek"))), (32, true));
    assert_eq!(
        server
            .run(&["decrypt", "k", "wrapped", "--encoding", "raw"])
            .ok()
            .out,
        dek
    );
    let only = server.json(&["datakey", "k", "--wrapped-only"]);
    assert!(only["plaintext"].is_null() && only["ciphertext"].is_string());

    let random = server.text(&["random", "16", "--encoding", "hex"]);
    assert_eq!(random.len(), 32);
    assert_ne!(server.text(&["random", "16", "--encoding", "hex"]), random);
    server.run(&["random", "0"]).fails(2, "");
    assert_eq!(
        server.run_with(&["hash"], b"abc").ok().text(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    server
        .run_with(&["hash", "--hash", "MD5"], b"abc")
        .fails(2, "");
    let algorithms = server.text(&["algorithms"]);
    assert!(algorithms.contains("ML-DSA-65") && algorithms.contains("X-Wing"));
}

#[test]
fn a_pipe_is_written_and_stays_one() {
    use std::os::unix::fs::FileTypeExt as _;

    let server = Server::dev();
    let pipe = server.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let from = pipe.clone();
    let reader = std::thread::spawn(move || fs::read(from).unwrap());
    let random = ["random", "32", "--encoding", "hex", "-o", "pipe"];
    server.run(&random).ok();
    assert_eq!(reader.join().unwrap().len(), 65);
    assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
    assert_eq!(fs::read_dir(server.folder.path()).unwrap().count(), 2);
    // Standard output by its name, which is a pipe here.
    let named = ["random", "32", "--encoding", "hex", "-o", "/dev/stdout"];
    assert_eq!(server.run(&named).ok().out.len(), 65);
    // A backup is read back.
    server
        .run(&["backup", "create", "pipe", "--force"])
        .fails(2, "is no file");
}
