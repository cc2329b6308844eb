//! Keys shared by groups: fetched by the key exchange, out of reach for who was
//! removed.

mod described;

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use skms_client::exchange::{Distribution, KeyName, Outcome, Party, Request};
use skms_crypto::{Algorithm, EncryptOptions, Format, KeyMaterial, OpenKey};
use skms_wire::{Ciphertext, native::routes::DEFAULT_NAMESPACE};

use crate::{
    exchange::{begin, client, events, now, principal, refused, replied, send},
    house::Server,
    mutual::Installed,
    wire::Answer,
};

pub use described::described;

const KEYS: &str = "/api/v1/keyrings/default/keys";
const GROUPS: &str = "/api/v1/groups";

fn key(server: &Server, name: &str) {
    let new = json!({"name": name, "algorithm": "AES-256-GCM", "exportable": true});
    server.must("POST", KEYS, Some(new));
}

fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

fn create(server: &Server, name: &str, members: &[&str]) -> Value {
    key(server, name);
    let new = json!({"name": name, "key": name, "members": named(members)});
    server.must("POST", GROUPS, Some(new))
}

fn add(server: &Server, name: &str, members: &[&str], history: bool) -> Value {
    let body = json!({"members": named(members), "history": history});
    server.must("POST", &format!("{GROUPS}/{name}/members"), Some(body))
}

fn remove(server: &Server, name: &str, members: &[&str]) -> Value {
    let path = format!("{GROUPS}/{name}/members/remove");
    server.must("POST", &path, Some(json!({"members": named(members)})))
}

/// Asks for a version of a key, the newest if none is named.
fn ask(server: &Server, by: &Party, name: &str, version: Option<u64>) -> Result<Fetched, Answer> {
    let wanted = Distribution {
        key: KeyName::new(DEFAULT_NAMESPACE, "default", name),
        version,
    };
    let (first, waiting) = begin(by, Request::Distribution(wanted));
    let answer = send(server, "/api/v1/exchange", &first);
    if answer.status != 200 {
        return Err(answer);
    }
    let (second, lists) = replied(&answer);
    match by.receive(waiting, &second, &lists, now()).unwrap() {
        Outcome::Distributed(given) => Ok(Fetched {
            version: given.grant.version,
            key: given.key.expose().to_vec(),
        }),
        Outcome::Agreed(_) => panic!("an agreement"),
    }
}

/// The same, until it is answered: messages are judged a few at a time, and who
/// finds no room is a stranger still.
fn patiently(server: &Server, by: &Party, name: &str) -> Result<Fetched, Answer> {
    loop {
        match ask(server, by, name, None) {
            Err(busy) if [429, 503].contains(&busy.status) => {
                thread::sleep(Duration::from_millis(20));
            }
            answered => return answered,
        }
    }
}

/// Every event, in order.
fn whole_record(server: &Server) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.must("GET", &format!("/api/v1/events?limit=500{after}"), None);
        all.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) if !page["items"].as_array().unwrap().is_empty() => {
                after = format!("&after={next}");
            }
            _ => return all,
        }
    }
}

#[derive(Debug)]
struct Fetched {
    version: u64,
    key: Vec<u8>,
}

impl Fetched {
    /// Opens what the server encrypted under the key.
    fn opens(&self, ciphertext: &Ciphertext) -> bool {
        let (raw, algorithm) = (Format::Raw, Some(Algorithm::Aes256Gcm));
        let material = KeyMaterial::import(&self.key, raw, algorithm, None).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let opened = open.decrypt(&ciphertext.bytes, b"", &EncryptOptions::default());
        opened.is_ok_and(|plaintext| plaintext.expose() == b"secret")
    }
}

fn encrypted(server: &Server, name: &str) -> Ciphertext {
    let path = format!("{KEYS}/{name}/encrypt");
    let done = server.must("POST", &path, Some(json!({"plaintext": "c2VjcmV0"})));
    done["ciphertext"].as_str().unwrap().parse().unwrap()
}

/// That somebody got nothing, as if there were no such key.
#[track_caller]
fn absent(asked: Result<Fetched, Answer>) {
    let answer = asked.unwrap_err();
    assert_eq!(answer.problem(), "not-found", "{}", answer.text());
}

fn items(server: &Server, path: &str) -> Vec<Value> {
    let page = server.must("GET", path, None);
    page["items"].as_array().unwrap().clone()
}

/// Who has which version, and by what: by name and version.
fn holders(server: &Server, path: &str) -> Vec<(String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<_> = items(server, path)
        .iter()
        .map(|one| {
            assert_eq!(one["certificate"].as_str().unwrap().len(), 64);
            assert_eq!(one["exchange"].as_str().unwrap().len(), 64);
            let version = one["version"].as_u64().unwrap();
            (text(&one["name"]), version, text(&one["standing"]))
        })
        .collect();
    all.sort();
    all
}

fn has(name: &str, version: u64, standing: &str) -> (String, u64, String) {
    (name.to_owned(), version, standing.to_owned())
}

#[test]
fn who_is_removed_is_out_of_reach_of_what_the_key_protects_from_then_on() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let people = ["alice", "bob", "carol", "dave"];
    let [alice, bob, carol, dave] =
        people.map(|name| client(&installed, &principal(&server, name, &[]).0));
    let made = create(&server, "orders", &["alice", "bob", "carol"]);
    assert_eq!(
        (&made["members"], &made["latest_version"]),
        (&json!(3), &json!(1))
    );
    let [of_alice, of_bob, of_carol] =
        [&alice, &bob, &carol].map(|one| ask(&server, one, "orders", None).unwrap());
    assert!(of_alice.version == 1 && of_alice.key == of_bob.key && of_bob.key == of_carol.key);
    assert!(of_bob.opens(&encrypted(&server, "orders")));
    absent(ask(&server, &dave, "orders", None));

    let changed = remove(&server, "orders", &["bob"]);
    assert_eq!(
        (
            &changed["members"],
            &changed["latest_version"],
            &changed["rekey_due"]
        ),
        (&json!(2), &json!(2), &json!(false))
    );
    let from_then_on = encrypted(&server, "orders");
    assert_eq!(from_then_on.version, 2);
    for version in [None, Some(1), Some(2)] {
        absent(ask(&server, &bob, "orders", version));
    }
    let denied: Vec<_> = events(&server, "key.distribute")
        .into_iter()
        .filter(|event| event["principal"] == "bob" && event["outcome"] == "denied")
        .collect();
    assert_eq!(denied.len(), 3, "{denied:?}");
    let said = &events(&server, "group.remove")[0].to_string();
    for word in ["orders", "root/bob"] {
        assert!(said.contains(word), "{said}");
    }
    let newest = ask(&server, &alice, "orders", None).unwrap();
    assert_eq!(newest.version, 2);
    assert!(newest.opens(&from_then_on));
    assert!(!of_bob.opens(&from_then_on));
    assert_eq!(
        ask(&server, &alice, "orders", Some(1)).unwrap().key,
        of_bob.key
    );
    server.kill();

    // Members, holders and who is out of it outlast a crash.
    let server = installed.serve_unsealed(&[]);
    for version in [None, Some(1), Some(2)] {
        absent(ask(&server, &bob, "orders", version));
    }
    assert_eq!(
        ask(&server, &alice, "orders", None).unwrap().key,
        newest.key
    );
    let path = format!("{GROUPS}/orders");
    let expected = [
        has("alice", 1, "member"),
        has("alice", 2, "member"),
        has("bob", 1, "removed"),
        has("carol", 1, "member"),
    ];
    assert_eq!(holders(&server, &format!("{path}/holders")), expected);
    assert_eq!(
        holders(&server, &format!("{KEYS}/orders/holders")),
        expected
    );
    let first = server.must("GET", &format!("{path}/holders?limit=3"), None);
    let next = first["next"].as_str().unwrap();
    let rest = items(&server, &format!("{path}/holders?limit=3&after={next}"));
    assert_eq!(rest.len(), 1);
    let members = items(&server, &format!("{path}/members"));
    let has_newest = |at: usize| members[at]["fetched_latest_at"].is_string();
    assert!(has_newest(0) && !has_newest(1), "{members:?}");
    assert_eq!(ask(&server, &carol, "orders", None).unwrap().version, 2);
    let members = items(&server, &format!("{path}/members"));
    assert!(members[1]["fetched_latest_at"].is_string());
}

#[test]
fn newcomers_fetch_from_now_on_or_everything_if_told_so() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let [late, historian] =
        ["late", "historian"].map(|name| client(&installed, &principal(&server, name, &[]).0));
    create(&server, "ledger", &[]);
    server.must("POST", &format!("{GROUPS}/ledger/rekey"), None);
    add(&server, "ledger", &["late"], false);
    add(&server, "ledger", &["historian"], true);
    assert_eq!(ask(&server, &late, "ledger", None).unwrap().version, 2);
    let early = ask(&server, &late, "ledger", Some(1)).unwrap_err();
    assert_eq!(early.problem(), "forbidden", "{}", early.text());
    assert!(early.text().contains("version 1 of"), "{}", early.text());
    assert_eq!(
        ask(&server, &historian, "ledger", Some(1)).unwrap().version,
        1
    );

    // What is asked for decides, and so does what is taken for it: with the
    // newest on its way out, the newest that is left is one from before.
    server.must(
        "POST",
        &format!("{KEYS}/ledger/destroy"),
        Some(json!({"version": 2})),
    );
    let left = ask(&server, &late, "ledger", None).unwrap_err();
    assert_eq!(left.problem(), "forbidden", "{}", left.text());
    assert_eq!(ask(&server, &historian, "ledger", None).unwrap().version, 1);
    server.must("POST", &format!("{KEYS}/ledger/restore"), None);

    // More history is given to members too, and nothing else.
    let again = json!({"members": named(&["late"])});
    let path = format!("{GROUPS}/ledger/members");
    let refused = server.ask("POST", &path, Some(again));
    assert_eq!(refused.problem(), "invalid-argument", "{}", refused.text());
    add(&server, "ledger", &["late"], true);
    assert_eq!(ask(&server, &late, "ledger", Some(1)).unwrap().version, 1);
}

#[test]
fn a_policy_that_forbids_counts_and_one_that_permits_needs_no_group() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let [alice, guest] =
        ["alice", "guest"].map(|name| client(&installed, &principal(&server, name, &[]).0));
    create(&server, "shared", &["alice"]);
    let write = |policy: &str| {
        let body = json!({"policy": policy});
        server.must("PUT", "/api/v1/policies/own", Some(body));
    };
    write(
        "permit(principal == SKMS::Principal::\"guest\", \
         action == SKMS::Action::\"key.distribute\", resource);",
    );
    assert_eq!(ask(&server, &guest, "shared", None).unwrap().version, 1);
    assert_eq!(ask(&server, &alice, "shared", None).unwrap().version, 1);
    let expected = [has("alice", 1, "member"), has("guest", 1, "policy")];
    let path = format!("{KEYS}/shared/holders");
    assert_eq!(holders(&server, &path), expected);
    write(
        "forbid(principal == SKMS::Principal::\"alice\", \
         action == SKMS::Action::\"key.distribute\", resource);",
    );
    absent(ask(&server, &alice, "shared", None));
    absent(ask(&server, &guest, "shared", None));

    // Who may not look into groups and holders finds none.
    let nobody = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"principal": "nobody"})),
    );
    let nobody = nobody["token"].as_str().unwrap();
    for path in [
        path.as_str(),
        "/api/v1/groups/shared",
        "/api/v1/groups/shared/members",
        "/api/v1/groups/shared/holders",
    ] {
        let answer = server.ask_as(nobody, "GET", path, None);
        assert_eq!(answer.problem(), "not-found", "{path}");
    }
}

#[test]
fn who_is_no_principal_any_more_or_shows_a_revoked_certificate_gets_nothing() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let (alice, serial) = principal(&server, "alice", &[]);
    let [alice, bob] =
        [alice, principal(&server, "bob", &[]).0].map(|identity| client(&installed, &identity));
    create(&server, "shared", &["alice", "bob"]);
    ask(&server, &alice, "shared", None).unwrap();
    ask(&server, &bob, "shared", None).unwrap();
    let path = format!("/api/v1/authorities/admins/certificates/{serial}/revoke");
    server.must("POST", &path, Some(json!({"reason": "keyCompromise"})));
    let stolen = ask(&server, &alice, "shared", None).unwrap_err();
    refused(&stolen, "certificate-revoked");

    server.must_nothing("DELETE", "/api/v1/principals/bob");
    assert_eq!(ask(&server, &bob, "shared", None).unwrap_err().status, 401);
    let group = server.must("GET", &format!("{GROUPS}/shared"), None);
    assert_eq!(
        (&group["members"], &group["rekey_due"]),
        (&json!(1), &json!(true))
    );
    let said = &events(&server, "principal.delete")[0].to_string();
    assert!(said.contains("root/shared"), "{said}");
    // One of the same name is somebody else.
    let (other, _) = principal(&server, "bob", &[]);
    absent(ask(&server, &client(&installed, &other), "shared", None));
    let expected = [has("alice", 1, "member"), has("bob", 1, "removed")];
    assert_eq!(
        holders(&server, &format!("{GROUPS}/shared/holders")),
        expected
    );
    let rekeyed = server.must("POST", &format!("{GROUPS}/shared/rekey"), None);
    assert_eq!(
        (&rekeyed["latest_version"], &rekeyed["rekey_due"]),
        (&json!(2), &json!(false))
    );
}

/// Members fetch for all they are worth while they are removed and added, over
/// and over: the record has no fetch between a removal and the next addition.
#[test]
fn no_fetch_ends_after_its_removal() {
    const CYCLES: usize = 60;
    let installed = Installed::new();
    let limits = installed.path("limits.toml");
    // Who is refused is a stranger, and these are refused often.
    let many = "[limits]\nstranger_requests_per_second = 100000\nstranger_burst = 100000\n";
    std::fs::write(&limits, many).unwrap();
    let server = installed.serve_unsealed(&["--config", limits.to_str().unwrap()]);
    let server = Arc::new(server);
    let names = ["one", "two", "three"];
    let parties = names.map(|name| client(&installed, &principal(&server, name, &[]).0));
    create(&server, "raced", &names);
    let stop = Arc::new(AtomicBool::new(false));
    let fetchers = parties.map(|party| {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                if let Err(answer) = patiently(&server, &party, "raced") {
                    assert_eq!(answer.problem(), "not-found", "{}", answer.text());
                }
            }
            party
        })
    });
    for _ in 0..CYCLES {
        remove(&server, "raced", &names);
        add(&server, "raced", &names, true);
    }
    let last = remove(&server, "raced", &names);
    assert_eq!(last["latest_version"], CYCLES + 2);
    stop.store(true, Ordering::SeqCst);
    for fetcher in fetchers {
        absent(patiently(&server, &fetcher.join().unwrap(), "raced"));
    }

    let mut inside = false;
    let (mut fetches, mut refusals, mut removals) = (0, 0, 0);
    for event in whole_record(&server) {
        let success = event["outcome"] == "success";
        match event["action"].as_str() {
            Some("group.create" | "group.add") if success => inside = true,
            Some("group.remove") if success => {
                inside = false;
                removals += 1;
            }
            Some("key.distribute") if success => {
                assert!(inside, "after removal {removals}: {event}");
                fetches += 1;
            }
            Some("key.distribute") => refusals += 1,
            _ => {}
        }
    }
    assert_eq!(removals, CYCLES + 1);
    assert!(fetches > 10 && refusals > 10, "{fetches} {refusals}");
}

#[test]
fn backups_keep_groups_and_a_restore_names_removals_that_it_undoes() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    principal(&server, "alice", &[]);
    let bob = client(&installed, &principal(&server, "bob", &[]).0);
    create(&server, "kept", &["alice", "bob"]);
    ask(&server, &bob, "kept", None).unwrap();
    let run = |address: &str, arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_skms"))
            .current_dir(installed.path(""))
            .env("SKMS_CONFIG", "root.toml")
            .env("SKMS_ADDR", address)
            .args(arguments)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(said).unwrap())
    };
    let address = format!("https://localhost:{}", server.address.port());
    assert_eq!(run(&address, &["backup", "create", "copy"]).0, Some(0));
    remove(&server, "kept", &["bob"]);
    let (status, _) = server.stop();
    assert!(status.success());
    let restore = ["restore", "copy", "--to", "data", "--key-file", "key"];
    let (code, said) = run(&address, &restore);
    assert_eq!(code, Some(4), "{said}");
    for word in ["COME BACK", "group.remove", "root/kept", "root/bob"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let (code, said) = run(&address, &[&restore[..], &["--accept-loss"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let server = installed.serve_unsealed(&[]);
    let group = server.must("GET", &format!("{GROUPS}/kept"), None);
    assert_eq!(group["members"], 2);
    let expected = [has("bob", 1, "member")];
    assert_eq!(
        holders(&server, &format!("{GROUPS}/kept/holders")),
        expected
    );
    remove(&server, "kept", &["bob"]);
    let expected = [has("bob", 1, "removed")];
    assert_eq!(
        holders(&server, &format!("{GROUPS}/kept/holders")),
        expected
    );
}

/// Who was removed and what the key was rotated for is one step, wherever the
/// server is when it is killed.
#[test]
fn a_removal_and_its_new_version_are_both_there_after_a_crash_or_neither() {
    const MEMBERS: usize = 60;
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("m{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let new = json!({"name": name, "fingerprint": format!("{number:064x}")});
        server.must("POST", "/api/v1/principals", Some(new));
    }
    create(&server, "crashed", &[]);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    add(&server, "crashed", &all, false);
    server.stop();
    let mut left = names.into_iter();
    let mut acknowledged = 0;
    for (crash, pause) in [150, 60, 250].into_iter().enumerate() {
        let server = installed.serve_unsealed(&[]);
        let process = server.process();
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(pause));
            let killed = Command::new("kill").args(["-KILL", &process]).status();
            assert!(killed.unwrap().success());
        });
        let mut connection = server.connect();
        for name in left.by_ref() {
            let body = json!({"members": named(&[&name])}).to_string();
            let path = format!("{GROUPS}/crashed/members/remove");
            let bearer = format!("Bearer {}", server.token);
            let headers = [
                ("Authorization", bearer.as_str()),
                ("Content-Type", "application/json"),
            ];
            match connection.send("POST", &path, Some(body.as_bytes()), &headers) {
                Ok(answer) => assert_eq!(answer.status, 200, "{}", answer.text()),
                Err(_) => break,
            }
            acknowledged += 1;
        }
        killer.join().unwrap();
        drop(server);
        let server = installed.serve_unsealed(&[]);
        let group = server.must("GET", &format!("{GROUPS}/crashed"), None);
        let count = |member: &str| group[member].as_u64().unwrap() as usize;
        assert_eq!(
            count("members") + count("latest_version"),
            MEMBERS + 1,
            "{group}"
        );
        // One that was under way at each crash may be done.
        let gone = MEMBERS - count("members");
        let expected = acknowledged..=acknowledged + crash + 1;
        assert!(expected.contains(&gone), "{gone} {expected:?}");
        server.stop();
    }
    assert!(acknowledged > 0);
}

/// A tenant's group has members of the tenant's own and of the root namespace,
/// and a name says which of the two.
#[test]
fn a_name_is_one_of_the_groups_namespace_unless_it_says_otherwise() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let alice = client(&installed, &principal(&server, "alice", &[]).0);
    server.must("POST", "/api/v1/namespaces", Some(json!({"name": "team"})));
    let in_team = |path: &str, body: Value| {
        let headers = [("X-SKMS-Namespace", "team")];
        let mut connection = server.connect();
        connection.ask(&server.token, "POST", path, Some(&body), &headers)
    };
    let done = |answer: Answer| {
        assert!((200..300).contains(&answer.status), "{}", answer.text());
    };
    done(in_team("/api/v1/keyrings", json!({"name": "default"})));
    let new = json!({"name": "theirs", "algorithm": "AES-256-GCM", "exportable": true});
    done(in_team(KEYS, new));
    let group = |member: Value| json!({"name": "theirs", "key": "theirs", "members": [member]});
    let refused = in_team(GROUPS, group(json!({"name": "alice"})));
    assert_eq!(refused.problem(), "invalid-argument");
    assert!(refused.text().contains("team/alice"), "{}", refused.text());
    let wanted = || Distribution {
        key: KeyName::new("team", "default", "theirs"),
        version: None,
    };
    let fetch = || {
        let (first, _) = begin(&alice, Request::Distribution(wanted()));
        send(&server, "/api/v1/exchange", &first)
    };
    // Somebody of the same name in the team is another one.
    let own = json!({"name": "alice", "fingerprint": "ab".repeat(32)});
    done(in_team("/api/v1/principals", own));
    done(in_team(GROUPS, group(json!({"name": "alice"}))));
    assert_eq!(fetch().problem(), "not-found");
    let known = json!({"members": [{"name": "alice", "namespace": DEFAULT_NAMESPACE}]});
    done(in_team(&format!("{GROUPS}/theirs/members"), known));
    assert_eq!(fetch().status, 200);
    let deleted = server.connect().ask(
        &server.token,
        "DELETE",
        "/api/v1/namespaces/team",
        None,
        &[],
    );
    assert_eq!(deleted.problem(), "not-empty");
}

/// How many records there are, once what is on its way out of them is gone.
fn records(server: &Server) -> u64 {
    let (mut last, mut same) = (0, 0);
    while same < 4 {
        thread::sleep(Duration::from_millis(400));
        let report = server.must("GET", "/api/v1/storage/verify", None);
        assert_eq!(report["intact"], true, "{report}");
        let now = report["records"].as_u64().unwrap();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
fn who_had_a_key_goes_with_it() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let admin = client(&installed, &installed.admin());
    let make = |name: &str| {
        let new = json!({"name": name, "algorithm": "AES-256-GCM", "exportable": true,
            "rules": {"destroy_window_seconds": 0}});
        server.must("POST", KEYS, Some(new));
        ask(&server, &admin, name, None).unwrap();
        ask(&server, &admin, name, None).unwrap();
    };
    // With the first, the server's own identity comes.
    make("stays");
    let before = records(&server);
    make("goes");
    let path = format!("{KEYS}/goes");
    // Key, material, one holder and two messages that do not come again.
    assert_eq!(records(&server), before + 5);
    server.must("POST", &format!("{path}/destroy"), None);
    while server.must("GET", &path, None)["state"] != "destroyed" {
        thread::yield_now();
    }
    server.must_nothing("DELETE", &path);
    assert_eq!(records(&server), before + 2);
    let left = [has("admin", 1, "policy")];
    assert_eq!(holders(&server, &format!("{KEYS}/stays/holders")), left);
}
