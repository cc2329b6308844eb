//! What is refused, and that nothing comes of it.

use std::path::Path;

use super::RENEW;
use super::stage::{NAMES, PKCS10, Stage, lacks};

fn stage(options: &[&str]) -> Option<Stage> {
    let missing = lacks("curl", "--version") || lacks("openssl", "version");
    (!missing).then(|| Stage::set(options))
}

#[test]
fn whoever_shows_nothing_or_may_not_gets_no_certificate() {
    let Some(stage) = stage(RENEW) else { return };
    let csr = stage.usual("own");
    let (device, stranger) = (&stage.device, &stage.stranger);
    let another = format!("another:{device}");
    let nameless = format!(":{device}");
    let misplaced = format!("{device}:device");
    for operation in ["simpleenroll", "simplereenroll", "serverkeygen"] {
        let nobody = stage.post(operation, &csr, &[]);
        nobody.refused(401, "");
        assert!(nobody.has("www-authenticate: Basic realm=\"est\", charset=\"UTF-8\""));
        for wrong in [
            "device:skms_wrong",
            "device:",
            &another,
            &nameless,
            &misplaced,
        ] {
            stage.post(operation, &csr, &["-u", wrong]).refused(401, "");
        }
        let may_not = format!("stranger:{stranger}");
        stage
            .post(operation, &csr, &["-u", &may_not])
            .refused(403, "no policy permits you");
        // Whether he may is said before it is looked at what he sent.
        stage
            .post(operation, b"no request", &["-u", &may_not])
            .refused(403, "no policy permits you");
    }
    assert_eq!(stage.count(), 0);
}

#[test]
fn requests_that_are_none_are_refused() {
    let Some(stage) = stage(RENEW) else { return };
    let good = stage.usual("own");
    let [flag, user] = stage.device();
    let user = [flag.as_str(), user.as_str()];
    let mut bad_proof = good.clone();
    *bad_proof.last_mut().unwrap() ^= 1;
    let (_, cut) = good.split_last().unwrap();
    let longer = [&good[..], b"\0"].concat();
    for operation in ["simpleenroll", "simplereenroll"] {
        stage
            .post(operation, &bad_proof, &user)
            .refused(400, "signature");
        stage.post(operation, cut, &user).refused(400, "");
        stage.post(operation, &longer, &user).refused(400, "");
        stage.post(operation, b"", &user).refused(400, "");
        let pem = std::fs::read(stage.server.path("own.csr")).unwrap();
        stage.server.file("sent", &pem);
        let sent = [PKCS10, &user].concat();
        stage.curl(operation, &sent).refused(400, "not base64");
        let json = [
            &["-H", "Content-Type: application/json"],
            &PKCS10[2..],
            &user,
        ]
        .concat();
        stage
            .curl(operation, &json)
            .refused(415, "application/pkcs10");
        let got = stage.curl(operation, &user);
        got.refused(405, "");
        assert!(got.has("allow: POST"), "{}", got.headers);
    }
    // What the profile does not certify.
    for (subject, names) in [
        ("/CN=www.example.org", "email:a@example.org"),
        ("/CN=www.example.org", "DNS:*.example.org"),
        ("/CN=www.example.org", "URI:skms://team/certificate/alice"),
    ] {
        let csr = stage.request("outside", subject, names);
        stage.post("simpleenroll", &csr, &user).refused(400, "");
        stage.post("serverkeygen", &csr, &user).refused(400, "");
    }
    let label = |text: &str| format!("{text}/simpleenroll");
    for absent in [
        "root:issuing:code-signing",
        "root:top:tls-server",
        "root:nonesuch:tls-server",
        "team:issuing:tls-server",
        "issuing",
    ] {
        let got = stage.curl_at(&label(absent), &[PKCS10, &user].concat());
        got.refused(404, "");
    }
    assert_eq!(stage.count(), 0);
}

#[test]
fn a_certificate_renews_itself_while_it_is_good_and_nothing_else() {
    let Some(stage) = stage(RENEW) else { return };
    let own = stage.enrolled("own");
    let own_files = shown("own");
    let shown: Vec<&str> = own_files.iter().map(String::as_str).collect();
    let renew = |csr: &[u8]| stage.post("simplereenroll", csr, &shown);
    for (subject, names) in [
        ("/CN=b.example.org", NAMES),
        ("/CN=www.example.org/O=Other", NAMES),
        ("/CN=www.example.org", "DNS:www.example.org"),
        (
            "/CN=www.example.org",
            "DNS:www.example.org,DNS:evil.example.org",
        ),
        (
            "/CN=www.example.org",
            "DNS:www.example.org,DNS:b.example.org,DNS:c.example.org",
        ),
    ] {
        let csr = stage.request("other", subject, names);
        renew(&csr).refused(400, "not those of the certificate to be renewed");
    }
    let csr = stage.usual("next");
    for operation in ["simpleenroll", "serverkeygen"] {
        stage.post(operation, &csr, &shown).refused(401, "");
    }
    // The same certificate is nobody's under another profile.
    let sent = [PKCS10, &shown].concat();
    stage
        .curl_at("root:issuing:tls-client/simplereenroll", &sent)
        .refused(401, "");
    stolen_names(&stage, &serial_of(&stage, &own), &csr);

    stage.keep("next", &renew(&csr));
    let policy = r#"forbid (principal, action == SKMS::Action::"certificate.issue", resource)
        when { principal.kind == "holder" };"#;
    let put = ["policy", "put", "no-holders"];
    stage.server.run_with(&put, policy.as_bytes()).ok();
    renew(&csr).refused(403, "");
    stage.server.run(&["policy", "delete", "no-holders"]).ok();

    let serial = serial_of(&stage, &own);
    let revoke = [
        "cert",
        "revoke",
        &serial,
        "--ca",
        "issuing",
        "--reason",
        "superseded",
    ];
    stage.server.run(&revoke).ok();
    renew(&csr).refused(401, "");
    // Its successor goes on.
    let next = self::shown("next");
    let next: Vec<&str> = next.iter().map(String::as_str).collect();
    let last = stage.usual("last");
    stage.keep("last", &stage.post("simplereenroll", &last, &next));
    // Nobody believes an authority any more whose own certificate is on hold.
    let authority = serial_of(&stage, Path::new("issuing.pem"));
    let hold = [
        "cert",
        "revoke",
        &authority,
        "--ca",
        "top",
        "--reason",
        "certificateHold",
    ];
    stage.server.run(&hold).ok();
    stage.post("simplereenroll", &last, &next).refused(401, "");
    let der = stage.curl("cacerts", &[]).der("application/pkcs7-mime");
    assert_eq!(stage.certificates(&der).trim(), "");
    stage.server.run(&["est", "disable", "issuing"]).ok();
    stage.post("simplereenroll", &last, &next).refused(404, "");
    assert_eq!(stage.count(), 3);
}

/// Certificates that say the same and were not issued here: one that signed
/// itself, and one by an authority of the same name, with the same serial
/// number, for a thief's key.
fn stolen_names(stage: &Stage, serial: &str, csr: &[u8]) {
    let names = format!("subjectAltName={NAMES}");
    let own = ["req", "-x509", "-key", "own.key", "-out", "thief.crt"];
    let subject = ["-subj", "/CN=www.example.org", "-addext", &names];
    stage.tool("openssl", &[&own[..], &subject].concat());
    let own_key = ["--cert", "thief.crt", "--key", "own.key"];
    let renew = |shown: &[&str]| stage.post("simplereenroll", csr, shown);
    renew(&own_key).refused(401, "");

    let fake = [
        "req",
        "-x509",
        "-subj",
        "/CN=Test issuing",
        "-key",
        "own.key",
    ];
    stage.tool("openssl", &[&fake[..], &["-out", "fake.crt"]].concat());
    stage.usual("thief");
    let serial = format!("0x{serial}");
    let sign = [
        "x509",
        "-req",
        "-in",
        "thief.csr",
        "-copy_extensions",
        "copy",
    ];
    let by = [
        "-CA",
        "fake.crt",
        "-CAkey",
        "own.key",
        "-set_serial",
        &serial,
    ];
    let sign = [&sign[..], &by, &["-out", "thief.crt"]].concat();
    stage.tool("openssl", &sign);
    for same in ["-subject", "-issuer", "-serial"] {
        assert_eq!(
            stage.says("thief.crt", &[same]),
            stage.says("own.crt", &[same])
        );
    }
    renew(&["--cert", "thief.crt", "--key", "thief.key"]).refused(401, "");
}

/// What has curl show a certificate.
pub fn shown(name: &str) -> [String; 4] {
    let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
    ["--cert".into(), certificate, "--key".into(), key]
}

fn serial_of(stage: &Stage, certificate: &Path) -> String {
    let said = stage.says(certificate.to_str().unwrap(), &["-serial"]);
    said.trim().strip_prefix("serial=").unwrap().to_lowercase()
}

#[test]
fn what_a_narrower_profile_gave_does_not_renew_by_a_wider_one() {
    let Some(stage) = stage(RENEW) else { return };
    let put = "ca profile put issuing short --base tls-server --max-lifetime 1d";
    let put: Vec<&str> = put.split(' ').collect();
    stage.server.run(&put).ok();
    let issue = "cert issue --ca issuing --profile short --name www.example.org \
                 --key-out own.key --out own.crt";
    let issue: Vec<&str> = issue.split(' ').collect();
    stage.server.run(&issue).ok();
    let csr = stage.request("next", "/CN=www.example.org", "DNS:www.example.org");
    let shown = ["--cert", "own.crt", "--key", "own.key"];
    stage.post("simplereenroll", &csr, &shown).refused(401, "");
    let [flag, user] = stage.device();
    let shown = [&flag, &user, "--cert", "own.crt", "--key", "own.key"];
    stage
        .post("simplereenroll", &csr, &shown)
        .refused(400, "there is no certificate to renew");
    assert_eq!(stage.count(), 1);
}

#[test]
fn a_renewal_lasts_no_longer_than_what_it_renews() {
    let Some(stage) = stage(RENEW) else { return };
    let issue = "cert issue --ca issuing --profile tls-server --name www.example.org \
                 --lifetime 2d --key-out own.key --out own.crt";
    let issue: Vec<&str> = issue.split_whitespace().collect();
    stage.server.run(&issue).ok();
    let csr = stage.request("next", "/", "DNS:www.example.org");
    let shown = ["--cert", "own.crt", "--key", "own.key"];
    let renewed = stage.post("simplereenroll", &csr, &shown);
    assert_eq!(renewed.status, 200, "{}", renewed.headers);
    let list = ["cert", "list", "--ca", "issuing"];
    let all = stage.server.json(&list);
    let lasts: Vec<i64> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let at = |name: &str| {
                let text = one[name].as_str().unwrap();
                text.parse::<skms_wire::Moment>().unwrap().unix_seconds()
            };
            at("not_after") - at("not_before") + 1
        })
        .collect();
    assert_eq!(lasts, [2 * 86_400, 2 * 86_400]);
}
