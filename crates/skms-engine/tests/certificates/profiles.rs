//! Profiles of an authority's own: they take away, and never add.

use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_engine::acts::authorities::{NamedProfile, Rules};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey, View};
use skms_pki::Certificate;
use skms_pki::issue::DAY;

use crate::authority;
use crate::common::House;

/// The profile `web` of the authority `ca`.
async fn put(house: &House, profile: NamedProfile) -> Result<(), Error> {
    let profile = NamedProfile {
        name: "web".to_owned(),
        base: match profile.base.is_empty() {
            true => "tls-server".to_owned(),
            false => profile.base,
        },
        ..profile
    };
    house
        .engine
        .put_authority_profile(&house.root, "root", "ca", profile)
        .await
        .map(drop)
}

struct Asked<'a> {
    names: &'a [&'a str],
    subject: Option<&'a str>,
    key: Algorithm,
    days: Option<u64>,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self {
            names: &["a.example.org"],
            subject: None,
            key: Algorithm::EcP256,
            days: None,
        }
    }
}

async fn issue(house: &House, asked: Asked<'_>) -> Result<View, Error> {
    let new = NewCertificate {
        profile: "web".into(),
        key: SubjectKey::New(asked.key),
        subject: asked.subject.map(|name| name.parse().unwrap()),
        names: asked.names.iter().map(|one| one.parse().unwrap()).collect(),
        lifetime_seconds: asked.days.map(|days| days * 86_400),
    };
    let made = house
        .engine
        .issue_certificate(&house.root, "root", "ca", new);
    Ok(made.await?.certificate)
}

fn list(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[tokio::test]
async fn each_rule_refuses_what_is_beyond_it() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let none = issue(&house, Asked::default()).await;
    assert!(
        matches!(none, Err(Error::Invalid(_))),
        "there is no profile"
    );
    let plain = NamedProfile::default;
    let asked = Asked::default;
    let cases: [(NamedProfile, Asked<'_>, Asked<'_>); 8] = [
        (
            NamedProfile {
                domains: list(&["example.org"]),
                ..plain()
            },
            asked(),
            Asked {
                names: &["a.example.org", "a.notexample.org"],
                ..asked()
            },
        ),
        (
            NamedProfile {
                networks: list(&["10.0.0.0/8"]),
                ..plain()
            },
            Asked {
                names: &["ip:10.1.2.3"],
                ..asked()
            },
            Asked {
                names: &["ip:11.1.2.3"],
                ..asked()
            },
        ),
        (
            NamedProfile {
                no_wildcards: true,
                ..plain()
            },
            asked(),
            Asked {
                names: &["*.example.org"],
                ..asked()
            },
        ),
        (
            NamedProfile {
                most_names: Some(1),
                ..plain()
            },
            asked(),
            Asked {
                names: &["a.example.org", "b.example.org"],
                ..asked()
            },
        ),
        (
            NamedProfile {
                algorithms: list(&["EC-P384"]),
                ..plain()
            },
            Asked {
                key: Algorithm::EcP384,
                ..asked()
            },
            asked(),
        ),
        (
            NamedProfile {
                minimum_strength_bits: Some(192),
                ..plain()
            },
            Asked {
                key: Algorithm::EcP384,
                ..asked()
            },
            asked(),
        ),
        (
            NamedProfile {
                max_lifetime_seconds: Some(10 * 86_400),
                ..plain()
            },
            Asked {
                days: Some(10),
                ..asked()
            },
            Asked {
                days: Some(11),
                ..asked()
            },
        ),
        (
            NamedProfile {
                subjects: list(&["O=Team"]),
                subject_required: true,
                ..plain()
            },
            Asked {
                subject: Some("O=Team,CN=a.example.org"),
                ..asked()
            },
            Asked {
                subject: Some("O=Other,CN=a.example.org"),
                ..asked()
            },
        ),
    ];
    for (profile, good, bad) in cases {
        put(&house, profile.clone()).await.unwrap();
        let made = issue(&house, good).await;
        let made = made.unwrap_or_else(|error| panic!("{profile:?}: {error}"));
        assert_eq!(made.profile, "web");
        let refused = issue(&house, bad).await;
        assert!(matches!(refused, Err(Error::Pki(_))), "{profile:?}");
    }
    // It is there after a restart, and gone when it is taken away.
    let house = house.restart().await;
    let subject = Asked {
        subject: Some("O=Team,CN=a.example.org"),
        ..asked()
    };
    issue(&house, subject).await.unwrap();
    house
        .engine
        .remove_authority_profile(&house.root, "root", "ca", "web")
        .await
        .unwrap();
    let none = issue(&house, asked()).await;
    assert!(matches!(none, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn policies_purposes_and_lifetimes_are_written() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let profile = NamedProfile {
        base: "tls-mutual".to_owned(),
        purposes: list(&["1.3.6.1.5.5.7.3.2"]),
        policies: list(&["1.3.6.1.4.1.99999.1"]),
        default_lifetime_seconds: Some(3 * 86_400),
        ..NamedProfile::default()
    };
    put(&house, profile).await.unwrap();
    let made = issue(&house, Asked::default()).await.unwrap();
    let read = Certificate::from_der(&made.chain[0]).unwrap();
    let extensions = read.extensions();
    let purposes = extensions.extended_key_usage.unwrap();
    assert!(purposes.contains(skms_pki::oid::CLIENT_AUTH));
    assert!(!purposes.contains(skms_pki::oid::SERVER_AUTH));
    let lasts = read.not_after().0 - read.not_before().0 + 1;
    assert!((lasts - 3 * DAY).abs() <= DAY / 4, "{lasts}");
    let policy: skms_pki::oid::OidBuf = "1.3.6.1.4.1.99999.1".parse().unwrap();
    let policies = &extensions.policies;
    assert!(
        policies
            .iter()
            .flat_map(|all| all.iter())
            .any(|one| one == policy.as_oid())
    );
}

#[tokio::test]
async fn what_would_add_to_the_base_is_refused() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let plain = NamedProfile::default;
    for bad in [
        NamedProfile {
            base: "intermediate".to_owned(),
            ..plain()
        },
        NamedProfile {
            base: "nonesuch".to_owned(),
            ..plain()
        },
        NamedProfile {
            purposes: list(&["1.3.6.1.5.5.7.3.9"]),
            ..plain()
        },
        NamedProfile {
            domains: list(&["*.example.org"]),
            ..plain()
        },
        NamedProfile {
            domains: list(&[""]),
            ..plain()
        },
        NamedProfile {
            networks: list(&["10.0.0.1/64"]),
            ..plain()
        },
        NamedProfile {
            algorithms: list(&["AES-256-GCM"]),
            ..plain()
        },
        NamedProfile {
            most_names: Some(0),
            ..plain()
        },
        NamedProfile {
            max_lifetime_seconds: Some(1),
            ..plain()
        },
        NamedProfile {
            policies: list(&["x"]),
            ..plain()
        },
    ] {
        let refused = put(&house, bad.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
    }
    // Longer than the base lets: the base holds.
    let long = NamedProfile {
        max_lifetime_seconds: Some(100 * 365 * 86_400),
        minimum_strength_bits: Some(1),
        ..plain()
    };
    put(&house, long).await.unwrap();
    let asked = Asked {
        days: Some(50 * 365),
        ..Asked::default()
    };
    assert!(matches!(issue(&house, asked).await, Err(Error::Pki(_))));
    // Nor does one take the name of a profile that comes along.
    let stolen = NamedProfile {
        name: "tls-client".to_owned(),
        base: "tls-server".to_owned(),
        ..plain()
    };
    let refused = house
        .engine
        .put_authority_profile(&house.root, "root", "ca", stolen);
    assert!(matches!(refused.await, Err(Error::Invalid(_))));
}
