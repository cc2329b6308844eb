//! Stamps of the time, as described.

use serde_json::{Value, json};
use skms_policy::ROOT_NAMESPACE;

use crate::describe::Described;

/// A certificate that is for servers stamps nothing; one for time-stamps does.
pub fn stamp(api: &Described<'_>, of_server: &Value) {
    // SHA-256 of nothing in particular: TimeStampReq.
    let query = "MDYCAQEwMTANBglghkgBZQMEAgEFAAQgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let asked = |of: &Value| json!({"query": query, "policy": "1.2.3", "certificate": of});
    let scribe = ["default", "scribe"];
    assert_eq!(
        api.bad("timestamp", &scribe, Some(asked(of_server))),
        "invalid-argument"
    );
    let wanted = json!({"profile": "time-stamping", "subject": "CN=Clock",
        "key": {"keyring": "default", "key": "scribe"}});
    let own = api.good("certificate-issue", &["top"], Some(wanted));
    let of = json!({"authority": "top", "serial": own["certificate"]["serial"]});
    api.good("timestamp", &scribe, Some(asked(&of)));
    time_stamping(api, of_server, &of);
}

/// Authorities that stamp for anybody.
fn time_stamping(api: &Described<'_>, of_server: &Value, of: &Value) {
    let wanted = |certificate: &Value| {
        Some(
            json!({"name": "clock", "key": "scribe", "certificate": certificate,
            "policies": ["1.2.3"], "accuracy_seconds": 1}),
        )
    };
    assert_eq!(
        api.bad("tsa-create", &[], wanted(of_server)),
        "invalid-argument"
    );
    let made = api.good("tsa-create", &[], wanted(of));
    assert_eq!(made["path"], format!("/tsa/{ROOT_NAMESPACE}/clock"));
    assert_eq!(api.bad("tsa-create", &[], wanted(of)), "already-exists");
    api.good("tsa-read", &["clock"], None);
    assert_eq!(api.bad("tsa-read", &["nobody"], None), "not-found");
    api.good("tsa-list", &[], None);
    api.good("tsa-delete", &["clock"], None);
    assert_eq!(api.bad("tsa-delete", &["clock"], None), "not-found");
}
