//! `skms file`: files of any size, with the server, with stock age, and what
//! is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use skms_client::file::X25519Identity;

use crate::support::{Ran, Server, is_private, run};

/// An identity that stock age understands, and its recipient.
const IDENTITY: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

fn with_keys(names: &[&str]) -> Server {
    let server = Server::dev();
    for name in names {
        server
            .run(&["key", "create", name, "-a", "XAES-256-GCM"])
            .ok();
    }
    server
}

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

/// Stock age, or a visible skip.
pub fn age(server: &Server, arguments: &[&str], input: &[u8]) -> Option<Ran> {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("skipped: there is no age command");
        return None;
    }
    let mut command = Command::new("age");
    command.current_dir(server.folder.path()).args(arguments);
    Some(run(command, input))
}

/// How many uses of keys the server has recorded.
fn uses(server: &Server) -> usize {
    let lines = server.text(&["--json", "log", "tail", "--lines", "10000"]);
    let used = |line: &&str| {
        ["key.datakey", "key.encrypt", "key.decrypt", "key.read"]
            .iter()
            .any(|action| line.contains(action))
    };
    lines.lines().filter(used).count()
}

#[test]
fn a_file_goes_there_and_back_by_every_way() {
    let server = with_keys(&["orders"]);
    for length in [0, 1, 65_536, 3_000_017] {
        let data = data(length);
        server.file("in", &data);
        let encrypt = ["file", "encrypt", "--key", "orders"];
        let run = |more: &[&str]| server.run(&[&encrypt[..], more].concat()).ok();
        run(&["-i", "in", "-o", "a.age", "--force"]);
        run(&["in", "--armor", "-o", "b.age", "--force"]);
        server.file("c.age", &server.run_with(&encrypt, &data).ok().out);
        let piped = server.run_with(&[&encrypt[..], &["-a", "-", "-o", "-"]].concat(), &data);
        server.file("d.age", &piped.ok().out);
        for name in ["a.age", "b.age", "c.age", "d.age"] {
            let sealed = fs::read(server.path(name)).unwrap();
            let text = sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n");
            assert_eq!(text, matches!(name, "b.age" | "d.age"), "{name}");
            let decrypt = ["file", "decrypt", name, "-o", "back", "-f"];
            server.run(&decrypt).ok();
            assert!(fs::read(server.path("back")).unwrap() == data, "{name}");
            assert!(server.run_with(&["file", "decrypt"], &sealed).ok().out == data);
            // The older commands know the format too.
            assert!(server.run(&["decrypt", "orders", name]).ok().out == data);
        }
        assert!(is_private(&server.path("a.age")) && is_private(&server.path("back")));
    }
    let json = server.json(&["file", "encrypt", "-k", "orders", "in", "-o", "e.age"]);
    let size = fs::metadata(server.path("e.age")).unwrap().len();
    assert_eq!(json["bytes"], size);
}

#[test]
fn a_header_says_which_key_and_no_name() {
    let server = with_keys(&["orders-of-the-embassy"]);
    let sealed = server
        .run_with(&["file", "encrypt", "-k", "orders-of-the-embassy"], b"x")
        .ok()
        .out;
    let text = String::from_utf8_lossy(&sealed);
    assert!(!text.contains("embassy") && !text.contains("default"));
    let id = server.json(&["key", "show", "orders-of-the-embassy"])["id"].clone();
    let line = format!("-> skms {} 1\n", id.as_str().unwrap());
    assert!(
        text.starts_with(&format!("age-encryption.org/v1\n{line}")),
        "{text}"
    );
    server.file("f.age", &sealed);
    let shown = server.json(&["file", "show", "f.age"]);
    assert_eq!(shown[0]["key_id"], id);
    assert_eq!(shown[0]["version"], 1);
}

#[test]
fn a_file_costs_one_request_and_several_keys_open_it() {
    let server = with_keys(&["one", "two", "gone"]);
    let data = data(5_000_000);
    server.file("in", &data);
    let before = uses(&server);
    server
        .run(&["file", "encrypt", "-k", "one", "in", "-o", "f.age"])
        .ok();
    server.run(&["file", "decrypt", "f.age", "-o", "back"]).ok();
    assert_eq!(uses(&server) - before, 2, "one request each");

    server.run(&["key", "rotate", "gone"]).ok();
    let recipient = server.text(&["file", "recipient", "two"]);
    server.file("list", format!("# by list\n\n{recipient}\n").as_bytes());
    let keys = ["file", "encrypt", "-k", "gone", "-k", "one", "-R", "list"];
    server
        .run(&[&keys[..], &["in", "-o", "many.age"]].concat())
        .ok();
    assert_eq!(
        server
            .json(&["file", "show", "many.age"])
            .as_array()
            .unwrap()
            .len(),
        3
    );
    for key in ["one", "two"] {
        let by_name = server.run(&["decrypt", key, "many.age"]).ok();
        assert!(by_name.out == data, "{key}");
    }
    server.run(&["key", "suspend", "gone"]).ok();
    server.run(&["key", "suspend", "one"]).ok();
    server
        .run(&["file", "decrypt", "many.age", "-o", "by-two"])
        .ok();
    assert!(fs::read(server.path("by-two")).unwrap() == data);
    server.run(&["key", "suspend", "two"]).ok();
    server
        .run(&["file", "decrypt", "many.age", "-o", "no"])
        .fails(4, "suspended");
    assert!(!server.path("no").exists());
}

#[test]
fn a_key_that_may_not_says_why() {
    let server = with_keys(&["k"]);
    let encrypt = ["file", "encrypt", "-k", "k"];
    let sealed = server.run_with(&encrypt, b"data").ok().out;
    server.file("f.age", &sealed);
    server.run(&["key", "rotate", "k"]).ok();
    let newer = server.run_with(&encrypt, b"data").ok().out;
    assert!(String::from_utf8_lossy(&newer).contains(" 2\n"));
    let decrypt = ["file", "decrypt", "f.age", "-o", "back"];
    server.run(&decrypt).ok();
    fs::remove_file(server.path("back")).unwrap();

    server.run(&["key", "suspend", "k"]).ok();
    server.run(&decrypt).fails(4, "suspended");
    server.run_with(&encrypt, b"data").fails(4, "suspended");
    server.run(&["key", "resume", "k"]).ok();
    server
        .run(&["key", "revoke", "k", "--reason", "keyCompromise"])
        .ok();
    server.run(&decrypt).fails(4, "compromised");

    // Of another namespace, or of another server: no such key.
    let elsewhere = ["-n", "nowhere", "file", "decrypt", "f.age", "-o", "back"];
    server.run(&elsewhere).fails(3, "");
    let other = with_keys(&["k"]);
    other.file("f.age", &sealed);
    other.run(&decrypt).fails(3, "no such key");
    assert!(!other.path("back").exists() && !server.path("back").exists());
}

#[test]
fn what_was_altered_or_cut_leaves_no_file() {
    let server = with_keys(&["k"]);
    let data = data(300_000);
    let sealed = server
        .run_with(&["file", "encrypt", "-k", "k"], &data)
        .ok()
        .out;
    let begins = sealed.windows(5).position(|w| w == b"\n--- ").unwrap() + 5 + 43 + 1 + 16;
    let step = 65_536 + 16;
    let flipped = |at: usize| {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        altered
    };
    let swapped = {
        let (first, second) = (begins..begins + step, begins + step..begins + 2 * step);
        [
            &sealed[..begins],
            &sealed[second],
            &sealed[first],
            &sealed[begins + 2 * step..],
        ]
        .concat()
    };
    // Still base64, and still the only spelling of something.
    let another = |at: usize| {
        let mut altered = sealed.clone();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        altered
    };
    for (bad, code, said) in [
        (flipped(begins + 5), 5, "chunk 1 does not authenticate"),
        (
            flipped(sealed.len() - 1),
            5,
            "chunk 5 does not authenticate",
        ),
        (swapped, 5, "chunk 1 does not authenticate"),
        (sealed[..sealed.len() - 1].to_vec(), 5, "cut short"),
        (
            sealed[..begins + 2 * step].to_vec(),
            5,
            "its last chunk is missing",
        ),
        ([&sealed[..], b"x"].concat(), 5, "does not authenticate"),
        (another(begins - 40), 5, "header does not authenticate"),
        (another(begins - 70), 5, "the header was altered"),
        (sealed[..40].to_vec(), 2, "does not end"),
        (b"hello".to_vec(), 2, "not an age file"),
        (Vec::new(), 2, "not an age file"),
    ] {
        server.file("bad", &bad);
        server
            .run(&["file", "decrypt", "bad", "-o", "back"])
            .fails(code, said);
        // To standard output goes what is authentic, and then the code.
        let piped = server
            .run_with(&["file", "decrypt"], &bad)
            .fails(code, said);
        assert!(data.starts_with(&piped.out) && piped.out.len() < data.len());
    }
    let mut left: Vec<_> = fs::read_dir(server.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["bad", "token"], "nothing half-written is left");
}

#[test]
fn a_file_that_is_there_stays_unless_told_otherwise() {
    let server = with_keys(&["k"]);
    server.file("there", b"precious");
    let encrypt = ["file", "encrypt", "-k", "k", "token", "-o", "there"];
    server.run(&encrypt).fails(4, "--force");
    assert_eq!(fs::read(server.path("there")).unwrap(), b"precious");
    server.run(&[&encrypt[..], &["--force"]].concat()).ok();
    server
        .run(&["file", "decrypt", "there", "-o", "token"])
        .fails(4, "--force");
    // A refusal costs the server nothing.
    let before = uses(&server);
    server.run(&encrypt).fails(4, "exists already");
    assert_eq!(uses(&server), before);
    server.run(&["file", "encrypt", "token"]).fails(2, "--key");
    server
        .run(&["file", "encrypt", "-r", "age1nonsense", "token"])
        .fails(2, "typing error");
    server
        .run(&[&["file", "encrypt", "token"], &["-k", "k"].repeat(9)[..]].concat())
        .fails(2, "at most 8");
    server
        .run(&["file", "encrypt", "-k", "k", ".", "-o", "x"])
        .fails(2, "folder");
}

#[test]
fn an_escrowed_identity_opens_it_without_a_server_and_with_stock_age() {
    let server = with_keys(&["k"]);
    let data = data(200_000);
    server.file("in", &data);
    server.file("escrow", format!("# offline\n{IDENTITY}\n").as_bytes());
    let identity: X25519Identity = IDENTITY.parse().unwrap();
    let recipient = &*identity.recipient().to_string();
    let encrypt = ["file", "encrypt", "-k", "k", "-r", recipient];
    server
        .run(&[&encrypt[..], &["in", "-o", "f.age"]].concat())
        .ok();
    let mut alone = server.command(&["file", "decrypt", "--identity", "escrow", "f.age"]);
    alone.env("SKMS_ADDR", "http://127.0.0.1:1");
    assert!(run(alone, b"").ok().out == data);
    let Some(opened) = age(&server, &["-d", "-i", "escrow", "f.age"], b"") else {
        return;
    };
    assert!(opened.ok().out == data, "stock age opens it");
    for armor in [&[][..], &["-a"]] {
        let made = age(&server, &[armor, &["-r", recipient, "in"]].concat(), b"").unwrap();
        server.file("theirs.age", &made.ok().out);
        let ours = ["file", "decrypt", "--identity", "escrow", "theirs.age"];
        assert!(
            server.run(&ours).ok().out == data,
            "what stock age made opens"
        );
    }
    server
        .run(&["file", "decrypt", "theirs.age"])
        .fails(2, "other recipients");
}

/// Stock age or rage, which find the plugin in PATH.
fn stock(server: &Server, program: &str, arguments: &[&str]) -> Ran {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_skms"))
        .parent()
        .unwrap();
    assert!(
        folder.join("age-plugin-skms").exists(),
        "age-plugin-skms is not built: test the whole workspace"
    );
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .current_dir(server.folder.path())
        .args(arguments)
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("SKMS_CONFIG", "/dev/null")
        .env("SKMS_ADDR", &server.address)
        // age starts plugins in a folder of its own.
        .env("SKMS_TOKEN_FILE", server.path("token"));
    run(command, b"")
}

#[test]
fn stock_programs_open_and_make_files_through_the_plugin() {
    let server = with_keys(&["k", "other"]);
    let data = data(200_000);
    server.file("in", &data);
    let recipient = server.text(&["file", "recipient", "k"]);
    for key in ["k", "other"] {
        let identity = server.text(&["file", "identity", key]);
        server.file(
            &format!("identity-{key}"),
            format!("{identity}\n").as_bytes(),
        );
    }
    server
        .run(&["file", "encrypt", "-k", "k", "in", "-o", "ours.age"])
        .ok();
    for program in ["age", "rage"] {
        if Command::new(program).arg("--version").output().is_err() {
            eprintln!("skipped: there is no {program} command");
            continue;
        }
        let stock = |arguments: &[&str]| stock(&server, program, arguments);
        let before = uses(&server);
        let opened = stock(&["-d", "-i", "identity-k", "ours.age"]).ok();
        assert!(opened.out == data, "{program} opens ours");
        stock(&["-r", &recipient, "-o", "theirs.age", "in"]).ok();
        let opened = server.run(&["file", "decrypt", "theirs.age"]).ok();
        assert!(opened.out == data, "what {program} made opens");
        assert_eq!(uses(&server) - before, 3, "one request each");
        assert!(stock(&["-d", "-j", "skms", "theirs.age"]).ok().out == data);
        stock(&["-e", "-i", "identity-k", "-o", "by-identity.age", "in"]).ok();
        server.run(&["file", "decrypt", "by-identity.age"]).ok();

        let before = uses(&server);
        let other = stock(&["-d", "-i", "identity-other", "ours.age"]);
        assert!(other.code != 0 && other.out.is_empty());
        assert_eq!(
            uses(&server),
            before,
            "a key that is not named is not asked"
        );
        server.run(&["key", "suspend", "k"]).ok();
        let refused = stock(&["-d", "-i", "identity-k", "ours.age"]);
        assert!(refused.code != 0 && refused.out.is_empty());
        assert!(refused.said.contains("suspended"), "{}", refused.said);
        let refused = stock(&["-r", &recipient, "-o", "no.age", "in"]);
        assert!(refused.code != 0 && refused.said.contains("suspended"));
        server.run(&["key", "resume", "k"]).ok();
        fs::remove_file(server.path("theirs.age")).unwrap();
        fs::remove_file(server.path("by-identity.age")).unwrap();
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    const SIZE: usize = 300 << 20;
    const BOUND_KIB: u64 = 96 << 10;
    let server = with_keys(&["k"]);
    let piped = |arguments: &[&str]| {
        let mut command = server.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut encrypting = piped(&["file", "encrypt", "-k", "k"]);
    let mut decrypting = piped(&["file", "decrypt"]);
    let (mut sealed, mut into) = (
        encrypting.stdout.take().unwrap(),
        decrypting.stdin.take().unwrap(),
    );
    let between = std::thread::spawn(move || std::io::copy(&mut sealed, &mut into).unwrap());
    let mut opened = decrypting.stdout.take().unwrap();
    let counted = std::thread::spawn(move || {
        let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
        loop {
            match opened.read(&mut buffer).unwrap() {
                0 => return count,
                some => {
                    assert!(buffer[..some].iter().all(|byte| *byte == 7));
                    count += some;
                }
            }
        }
    });
    let mut source = encrypting.stdin.take().unwrap();
    for _ in 0..SIZE >> 20 {
        source.write_all(&vec![7; 1 << 20]).unwrap();
    }
    // Both still run: their input has not ended.
    let peak = |process: u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let peaks = [peak(encrypting.id()), peak(decrypting.id())];
    eprintln!("peak memory in KiB: {peaks:?}");
    drop(source);
    assert!(encrypting.wait().unwrap().success());
    between.join().unwrap();
    assert!(decrypting.wait().unwrap().success());
    assert_eq!(counted.join().unwrap(), SIZE);
    assert!(peaks.iter().all(|peak| *peak < BOUND_KIB), "{peaks:?}");
}
