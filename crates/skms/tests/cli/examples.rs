//! The client crate's examples, against the real server: they are what its
//! documentation shows.

use std::path::PathBuf;
use std::process::Command;

use crate::mutual::serve;
use crate::support::{Server, run};

/// An example that was built beside this test.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    let path = folder.join("examples").join(name);
    assert!(path.exists(), "{} was not built", path.display());
    path
}

fn runs(server: &Server, name: &str) -> String {
    let mut command = Command::new(example(name));
    command
        .current_dir(server.folder.path())
        .env_remove("SKMS_TOKEN")
        .env("SKMS_CONFIG", "root.toml")
        .env("SKMS_ADDR", &server.address);
    run(command, b"").ok().text().to_owned()
}

#[test]
fn the_examples_of_the_client_do_what_they_say() {
    let server = serve();
    let keys = runs(&server, "keys");
    assert!(keys.contains("decrypted after a rotation"), "{keys}");
    assert!(keys.contains("refused after the revocation"), "{keys}");
    let exchange = runs(&server, "exchange");
    assert!(exchange.contains("agreed on 32 bytes"), "{exchange}");
    assert!(exchange.contains("fetched version 1 of example-leaves, 32 bytes"));
    let sealing = runs(&server, "sealing");
    assert!(sealing.contains("opened 8 bytes from"), "{sealing}");
    let files = runs(&server, "files");
    assert!(files.contains("2100000 bytes became"), "{files}");
    assert!(files.contains("and came back"), "{files}");
}
