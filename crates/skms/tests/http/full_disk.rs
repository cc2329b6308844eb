//! The disk fills up under a running server: what must get through does, the
//! rest is refused in plain words, and all is well once there is room again.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::house::{House, PATIENCE, Server};

const KEYS: &str = "/api/v1/keyrings/default/keys";
/// Room for the database, its reserve and one more segment of the journal,
/// not for two.
const DISK: &str = "size=20m,mode=700";
/// Room for all of it, the first reserve's segment now being in use.
const GROWN: &str = "remount,size=40m";
/// Few events fill it.
const FIRST_SEGMENT_BYTES: u64 = 64 << 10;
/// More than fit into what is left of anything.
const MANY: usize = 3000;

/// A small file system of its own, gone when this is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    /// Somebody gave it more room.
    fn grow(&self) {
        let grown = Command::new("mount")
            .args(["-o", GROWN])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(grown.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn create(server: &Server, name: &str) -> u16 {
    let body = json!({"name": name, "algorithm": "AES-256-GCM"});
    let answer = server.ask("POST", KEYS, Some(body));
    if answer.status == 507 {
        assert!(answer.text().contains("storage-full"), "{}", answer.text());
    }
    answer.status
}

fn encrypt(server: &Server, name: &str) -> u16 {
    let path = format!("{KEYS}/{name}/encrypt");
    let body = json!({"plaintext": "AAAA"});
    server.ask("POST", &path, Some(body)).status
}

fn issue(server: &Server) -> u16 {
    let wanted = json!({"profile": "tls-server", "names": ["www.example.org"],
        "new_key": "EC-P256"});
    let path = "/api/v1/authorities/ca/certificates";
    server.ask("POST", path, Some(wanted)).status
}

/// Asks until it is refused for want of room.
fn until_full(mut ask: impl FnMut(usize) -> u16) {
    for number in 0..MANY {
        match ask(number) {
            200..300 => {}
            507 => return,
            other => panic!("{other}"),
        }
    }
    panic!("a full disk took {MANY}");
}

/// Asks until it is done, as it must be by itself.
fn until_done(mut ask: impl FnMut() -> u16) {
    let began = Instant::now();
    loop {
        match ask() {
            200..300 => return,
            507 if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(50)),
            other => panic!("{other}"),
        }
    }
}

fn state(server: &Server, name: &str) -> Value {
    server.must("GET", &format!("{KEYS}/{name}"), None)["state"].clone()
}

fn revoke(server: &Server, name: &str) {
    let body = json!({"reason": "keyCompromise"});
    server.must("POST", &format!("{KEYS}/{name}/revoke"), Some(body));
}

fn intact(server: &Server) {
    let verified = server.must("GET", "/api/v1/storage/verify", None);
    assert_eq!(verified["intact"], true, "{verified}");
}

#[test]
#[allow(clippy::print_stderr, reason = "a skip is to be seen")]
fn a_full_disk_stops_what_can_wait_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: needs the right to mount a small file system");
        return;
    };
    let house = House::within(disk.path(), FIRST_SEGMENT_BYTES);
    let server = house.serve();
    for name in ["used", "revoked", "suspended", "later", "last"] {
        assert_eq!(create(&server, name), 201);
        assert_eq!(encrypt(&server, name), 200);
    }

    let key = json!({"name": "ca", "algorithm": "EC-P256"});
    server.must("POST", KEYS, Some(key));
    let authority = json!({"name": "ca", "key": "ca", "subject": "CN=ca"});
    server.must("POST", "/api/v1/authorities", Some(authority));
    assert_eq!(issue(&server), 201);

    let key = json!({"name": "shared", "algorithm": "AES-256-GCM", "exportable": true});
    server.must("POST", KEYS, Some(key));
    for (name, digits) in [("member", "11"), ("other", "22")] {
        let principal = json!({"name": name, "fingerprint": digits.repeat(32)});
        server.must("POST", "/api/v1/principals", Some(principal));
    }
    let members = json!([{"name": "member"}, {"name": "other"}]);
    let group = json!({"name": "group", "key": "shared", "members": members});
    server.must("POST", "/api/v1/groups", Some(group));

    let list = || server.ask("GET", "/pki/root/ca/1/crl/0.crl", None).status;
    let began = Instant::now();
    while list() != 200 && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
    }
    disk.fill();
    until_full(|number| create(&server, &format!("more-{number}")));
    // A certificate that there is no room for holds up nothing else, and takes
    // nothing from memory: neither lists nor who is signed in.
    until_full(|_| issue(&server));
    assert_eq!(list(), 200);
    assert_eq!(create(&server, "beside"), 507);
    until_full(|_| encrypt(&server, "used"));
    revoke(&server, "revoked");
    server.must(
        "POST",
        &format!("{KEYS}/suspended/suspend"),
        Some(json!({})),
    );
    assert_eq!(encrypt(&server, "revoked"), 507);
    let gone = json!({"members": [{"name": "member"}]});
    let path = "/api/v1/groups/group/members/remove";
    let removed = server.must("POST", path, Some(gone));
    assert_eq!(removed["latest_version"], 2);
    server.must("DELETE", "/api/v1/principals/other", None);

    // Room again, and nobody starts anything.
    disk.free();
    disk.grow();
    until_done(|| encrypt(&server, "used"));
    until_done(|| create(&server, "after"));
    until_done(|| issue(&server));
    assert_eq!(state(&server, "revoked"), "compromised");
    assert_eq!(state(&server, "suspended"), "suspended");
    let group = server.must("GET", "/api/v1/groups/group", None);
    assert_eq!(
        (&group["members"], &group["rekey_due"]),
        (&json!(0), &json!(true))
    );
    intact(&server);
    // The reserve is there again for the next time.
    let reserve = house.data_dir().join("skms.db.reserve");
    for number in 0..MANY {
        if reserve.exists() {
            break;
        }
        until_done(|| create(&server, &format!("refill-{number}")));
    }
    assert!(reserve.exists());

    // Killed, and started on a full disk: it opens, and revokes.
    disk.fill();
    server.kill();
    disk.fill();
    let server = house.serve();
    revoke(&server, "later");
    let sealed = server.ask("POST", "/api/v1/seal", None);
    assert!((200..300).contains(&sealed.status), "{}", sealed.text());
    server.kill();

    disk.free();
    let server = house.serve();
    assert_eq!(state(&server, "later"), "compromised");
    assert_eq!(state(&server, "last"), "active");
    assert_eq!(create(&server, "at-last"), 201);
    assert_eq!(encrypt(&server, "at-last"), 200);
    intact(&server);
}
