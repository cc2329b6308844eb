//! Principals who show certificates that an authority of the server issued.

use serde_json::{Value, json};

use crate::{
    house::{House, Server},
    wire::Identity,
};

/// Issues a certificate; gives it with its key, and its serial number.
fn issue(server: &Server, authority: &str, profile: &str, uri: &str) -> (Identity, String) {
    let wanted = json!({"profile": profile, "names": [uri], "new_key": "EC-P256"});
    let path = format!("/api/v1/authorities/{authority}/certificates");
    let made = server.must("POST", &path, Some(wanted));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let identity = Identity {
        certificate: text(&made["certificate"]["certificate"]),
        key: text(&made["private_key"]),
    };
    (identity, text(&made["certificate"]["serial"]))
}

fn authority(server: &Server, name: &str, subject: &str) {
    let key = json!({"name": name, "algorithm": "EC-P256", "uses": ["sign"]});
    server.must("POST", "/api/v1/keyrings/default/keys", Some(key));
    let new = json!({"name": name, "key": name, "subject": subject});
    server.must("POST", "/api/v1/authorities", Some(new));
}

const OWN: &str = "/api/v1/tokens/self";
const ALICE: &str = "uri:skms://root/certificate/alice";

#[test]
fn a_certificate_of_ours_shows_who_its_principal_is_until_it_is_revoked() {
    let house = House::new();
    let mut server = house.serve();
    let ca = house.data_dir().join("ca.pem");
    authority(&server, "people", "CN=People");
    let new = json!({"name": "alice", "authority": "people", "groups": ["reader"]});
    server.must("POST", "/api/v1/principals", Some(new.clone()));
    assert_eq!(
        server.ask("POST", "/api/v1/principals", Some(new)).status,
        409
    );
    let (first, serial) = issue(&server, "people", "principal", ALICE);
    let (second, _) = issue(&server, "people", "principal", ALICE);

    server.trust_as(&ca, &first);
    let mut connection = server.connect();
    let mut ask = |path: &str| connection.ask("", "GET", path, None, &[]);
    let own = ask(OWN);
    assert_eq!(own.status, 200, "{}", own.text());
    assert_eq!(own.json()["principal"], "alice");
    assert_eq!(ask("/api/v1/keyrings/default/keys").status, 200);

    // A hold cuts the connection that is open off, at once; its end lets in.
    let change = |act: &str, reason: Option<&str>| {
        let path = format!("/api/v1/authorities/people/certificates/{serial}/{act}");
        server.must(
            "POST",
            &path,
            reason.map(|reason| json!({"reason": reason})),
        );
    };
    change("revoke", Some("certificateHold"));
    assert_eq!(ask(OWN).status, 401);
    change("release", None);
    assert_eq!(ask(OWN).status, 200);
    change("revoke", Some("privilegeWithdrawn"));
    assert_eq!(ask(OWN).status, 401);
    assert_eq!(server.ask_as("", "GET", OWN, None).status, 401);

    // Her other certificate goes on, until she is no longer known.
    server.trust_as(&ca, &second);
    let mut connection = server.connect();
    let mut ask = || connection.ask("", "GET", OWN, None, &[]).status;
    assert_eq!(ask(), 200);
    server.must_nothing("DELETE", "/api/v1/principals/alice");
    assert_eq!(ask(), 401);
}

#[test]
fn other_certificates_show_nothing() {
    let house = House::new();
    let mut server = house.serve();
    let ca = house.data_dir().join("ca.pem");
    authority(&server, "people", "CN=People");
    authority(&server, "others", "CN=Others");
    // The same name and key names, on a key of somebody else.
    authority(&server, "people-2", "CN=People");
    let new = json!({"name": "alice", "authority": "people", "groups": ["root"]});
    server.must("POST", "/api/v1/principals", Some(new));
    let bad = json!({"name": "a b", "authority": "people"});
    assert_eq!(
        server.ask("POST", "/api/v1/principals", Some(bad)).status,
        422
    );
    let bad = json!({"name": "bob", "authority": "nobody"});
    assert_eq!(
        server.ask("POST", "/api/v1/principals", Some(bad)).status,
        404
    );
    let token = ALICE.replace("/certificate/", "/token/");
    for (authority, profile, uri) in [
        ("others", "principal", ALICE),
        ("people-2", "principal", ALICE),
        ("people", "principal", "uri:skms://root/certificate/bob"),
        (
            "people",
            "tls-client",
            "uri:https://example.org/certificate/alice",
        ),
    ] {
        let (identity, _) = issue(&server, authority, profile, uri);
        server.trust_as(&ca, &identity);
        let status = server.ask_as("", "GET", OWN, None).status;
        assert_eq!(status, 401, "{authority} {profile} {uri}");
    }
    let (identity, _) = issue(&server, "people", "principal", ALICE);
    server.trust_as(&ca, &identity);
    assert_eq!(server.ask_as("", "GET", OWN, None).status, 200);
    // Nor is one issued by that profile that names no principal of here, or by
    // another profile that names any.
    let path = "/api/v1/authorities/people/certificates";
    let elsewhere = "uri:skms://team-a/certificate/alice";
    for (profile, uri) in [
        ("principal", token.as_str()),
        ("principal", elsewhere),
        ("tls-client", token.as_str()),
        ("tls-client", elsewhere),
        ("tls-client", ALICE),
    ] {
        let wanted = json!({"profile": profile, "names": [uri], "new_key": "EC-P256"});
        assert_eq!(
            server.ask("POST", path, Some(wanted)).status,
            422,
            "{profile} {uri}"
        );
    }
}

/// Whoever issues certificates is nobody's principal by that.
#[test]
fn issuing_to_a_principal_takes_the_right_to_register_it() {
    let house = House::new();
    let server = house.serve();
    authority(&server, "people", "CN=People");
    let new = json!({"name": "alice", "authority": "people", "groups": ["root"]});
    server.must("POST", "/api/v1/principals", Some(new));
    let token = json!({"principal": "clerk", "groups": ["issuer"]});
    let clerk = server.must("POST", "/api/v1/tokens", Some(token));
    let clerk = clerk["token"].as_str().unwrap();
    let wanted = |profile: &str, name: &str| {
        Some(json!({"profile": profile, "names": [name], "new_key": "EC-P256"}))
    };
    let path = "/api/v1/authorities/people/certificates";
    let ask = |body| server.ask_as(clerk, "POST", path, body).status;
    assert_eq!(ask(wanted("tls-server", "www.example.org")), 201);
    // She may not see who is registered.
    assert_eq!(ask(wanted("principal", ALICE)), 404);
    // Nor for the server itself, nor with an authority's key by hand.
    authority(&server, "own", "CN=Own");
    let rules = json!({"rules": {"listener": true}});
    server.must("PATCH", "/api/v1/authorities/own", Some(rules));
    let own = "/api/v1/authorities/own/certificates";
    let server_name = wanted("tls-server", "localhost");
    let answer = server.ask_as(clerk, "POST", own, server_name.clone());
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(server.ask("POST", own, server_name).status, 422);
    let sign = Some(json!({"message": "AAAA"}));
    for key in ["own", "people"] {
        let path = format!("/api/v1/keyrings/default/keys/{key}/sign");
        assert_eq!(server.ask("POST", &path, sign.clone()).status, 422, "{key}");
    }
}

#[test]
fn an_authority_whose_certificate_is_revoked_vouches_for_nobody() {
    let house = House::new();
    let mut server = house.serve();
    let ca = house.data_dir().join("ca.pem");
    authority(&server, "above", "CN=Above");
    let key = json!({"name": "people", "algorithm": "EC-P256", "uses": ["sign"]});
    server.must("POST", "/api/v1/keyrings/default/keys", Some(key));
    let new = json!({"name": "people", "key": "people", "subject": "CN=People", "parent": "above"});
    let made = server.must("POST", "/api/v1/authorities", Some(new));
    let serial = made["issuers"][0]["serial"].as_str().unwrap().to_owned();
    let new = json!({"name": "alice", "authority": "people", "groups": ["reader"]});
    server.must("POST", "/api/v1/principals", Some(new));
    let (identity, _) = issue(&server, "people", "principal", ALICE);
    server.trust_as(&ca, &identity);
    let mut connection = server.connect();
    let mut ask = || connection.ask("", "GET", OWN, None, &[]).status;
    assert_eq!(ask(), 200);
    let change = |act: &str, reason: Option<&str>| {
        let path = format!("/api/v1/authorities/above/certificates/{serial}/{act}");
        server.must(
            "POST",
            &path,
            reason.map(|reason| json!({"reason": reason})),
        );
    };
    change("revoke", Some("certificateHold"));
    assert_eq!(ask(), 401);
    assert_eq!(server.ask_as("", "GET", OWN, None).status, 401);
    change("release", None);
    assert_eq!(ask(), 200);
    change("revoke", Some("cACompromise"));
    assert_eq!(ask(), 401);
}
