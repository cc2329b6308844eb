//! What is measured: for each case, what each server is sent.

/// A case and its requests. `{name}` is replaced by a name of each request's
/// own; `{ciphertext}` by one that the server can open.
pub struct Case {
    /// Its name, without the transport.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// The product's path below its prefix, and the body.
    pub ours: Call,
    /// The bare servers' path; the body is the product's.
    pub echo: &'static str,
    /// OpenBao's path below `/v1/transit`, and the body.
    pub openbao: Option<Call>,
}

/// A path and a body.
pub struct Call {
    pub path: &'static str,
    pub body: Body,
}

/// Bodies, some of them too long to be written out.
pub enum Body {
    /// As it stands.
    Text(&'static str),
    /// With `{data}` replaced by so many bytes in base64.
    Data(usize, &'static str),
    /// So many times the item, between the two others.
    Repeat(usize, &'static str, &'static str, &'static str),
}

impl Body {
    /// The body's text; `{name}` and `{ciphertext}` still stand in it.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Data(bytes, text) => text.replace("{data}", &base64(*bytes)),
            Self::Repeat(times, before, item, after) => {
                let items = vec![item.replace("{data}", &base64(32)); *times];
                format!("{before}{}{after}", items.join(","))
            }
        }
    }
}

/// So many bytes of data in base64; what they are does not matter.
fn base64(bytes: usize) -> String {
    let mut text = "skms".repeat(bytes / 3);
    text.push_str(match bytes % 3 {
        1 => "sg==",
        2 => "skk=",
        _ => "",
    });
    text
}

macro_rules! key {
    ($name:literal, $act:literal) => {
        concat!("/keyrings/default/keys/", $name, "/", $act)
    };
}

const CREATE: &str = "/keyrings/default/keys";

/// The cases that `--json` lists, and that the document's first table shows.
pub const MAIN: &[Case] = &[
    Case {
        name: "encrypt-32",
        what: "encrypt 32 bytes (AES-256-GCM)",
        ours: Call {
            path: key!("aes", "encrypt"),
            body: Body::Data(32, r#"{"plaintext":"{data}"}"#),
        },
        echo: "/encrypt",
        openbao: Some(Call {
            path: "/encrypt/aes",
            body: Body::Data(32, r#"{"plaintext":"{data}"}"#),
        }),
    },
    Case {
        name: "encrypt-4096",
        what: "encrypt 4 KiB",
        ours: Call {
            path: key!("aes", "encrypt"),
            body: Body::Data(4096, r#"{"plaintext":"{data}"}"#),
        },
        echo: "/encrypt",
        openbao: Some(Call {
            path: "/encrypt/aes",
            body: Body::Data(4096, r#"{"plaintext":"{data}"}"#),
        }),
    },
    Case {
        name: "decrypt-32",
        what: "decrypt 32 bytes",
        ours: Call {
            path: key!("aes", "decrypt"),
            body: Body::Text(r#"{"ciphertext":"{ciphertext}"}"#),
        },
        echo: "/decrypt",
        openbao: Some(Call {
            path: "/decrypt/aes",
            body: Body::Text(r#"{"ciphertext":"{ciphertext}"}"#),
        }),
    },
    Case {
        name: "batch-100",
        what: "encrypt 100 times 32 bytes in one request",
        ours: Call {
            path: key!("aes", "encrypt"),
            body: Body::Repeat(100, r#"{"batch":["#, r#"{"plaintext":"{data}"}"#, "]}"),
        },
        echo: "/batch",
        openbao: Some(Call {
            path: "/encrypt/aes",
            body: Body::Repeat(
                100,
                r#"{"batch_input":["#,
                r#"{"plaintext":"{data}"}"#,
                "]}",
            ),
        }),
    },
    Case {
        name: "sign-p256",
        what: "sign (ECDSA P-256)",
        ours: Call {
            path: key!("p256", "sign"),
            body: Body::Data(32, r#"{"message":"{data}"}"#),
        },
        echo: "/sign",
        openbao: Some(Call {
            path: "/sign/p256",
            body: Body::Data(32, r#"{"input":"{data}"}"#),
        }),
    },
    Case {
        name: "sign-rsa2048",
        what: "sign (RSA-2048, PSS)",
        ours: Call {
            path: key!("rsa2048", "sign"),
            body: Body::Data(32, r#"{"message":"{data}","scheme":"rsa-pss"}"#),
        },
        echo: "/sign",
        openbao: Some(Call {
            path: "/sign/rsa2048",
            body: Body::Data(32, r#"{"input":"{data}","signature_algorithm":"pss"}"#),
        }),
    },
    Case {
        name: "create-aes",
        what: "make an AES-256 key",
        ours: Call {
            path: CREATE,
            body: Body::Text(r#"{"name":"{name}","algorithm":"AES-256-GCM"}"#),
        },
        echo: "/create",
        openbao: Some(Call {
            path: "/keys/{name}",
            body: Body::Text(r#"{"type":"aes256-gcm96"}"#),
        }),
    },
    Case {
        name: "create-rsa2048",
        what: "make an RSA-2048 key",
        ours: Call {
            path: CREATE,
            body: Body::Text(r#"{"name":"{name}","algorithm":"RSA-2048"}"#),
        },
        echo: "/create",
        openbao: Some(Call {
            path: "/keys/{name}",
            body: Body::Text(r#"{"type":"rsa-2048"}"#),
        }),
    },
];

/// More cases, in the full document only.
pub const MORE: &[Case] = &[
    Case {
        name: "sign-ed25519",
        what: "sign (Ed25519)",
        ours: Call {
            path: key!("ed25519", "sign"),
            body: Body::Data(32, r#"{"message":"{data}"}"#),
        },
        echo: "/sign",
        openbao: Some(Call {
            path: "/sign/ed25519",
            body: Body::Data(32, r#"{"input":"{data}"}"#),
        }),
    },
    Case {
        name: "sign-mldsa65",
        what: "sign (ML-DSA-65)",
        ours: Call {
            path: key!("mldsa65", "sign"),
            body: Body::Data(32, r#"{"message":"{data}"}"#),
        },
        echo: "/sign",
        openbao: None,
    },
];

/// Finds a case by its name, with or without `-tls`.
pub fn named(name: &str) -> Option<&'static Case> {
    let name = name.strip_suffix("-tls").unwrap_or(name);
    MAIN.iter().chain(MORE).find(|case| case.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_one_that_was_agreed() {
        let names: Vec<String> = MAIN
            .iter()
            .map(|case| format!("{}-tls", case.name))
            .collect();
        assert_eq!(
            names,
            [
                "encrypt-32-tls",
                "encrypt-4096-tls",
                "decrypt-32-tls",
                "batch-100-tls",
                "sign-p256-tls",
                "sign-rsa2048-tls",
                "create-aes-tls",
                "create-rsa2048-tls"
            ]
        );
        assert!(named("sign-p256-tls").is_some() && named("nonesuch").is_none());
    }

    #[test]
    fn bodies_hold_as_much_as_they_say() {
        assert_eq!(base64(32), format!("{}skk=", "skms".repeat(10)));
        assert_eq!(base64(4096).len(), 5464);
        let batch = named("batch-100").unwrap().ours.body.text();
        assert_eq!(batch.matches("plaintext").count(), 100);
        assert!(batch.starts_with(r#"{"batch":[{"#) && batch.ends_with("}]}"));
    }
}
