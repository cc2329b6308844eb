//! Certificate authorities.

use skms_engine::acts::authorities::{
    Extent, Foundation, IssuerView as IssuerSeen, NamedProfile, NewAuthority, Rules, RulesChange,
    Subject, View,
};
use skms_pki::issue::{ProfileKind, Subtree};
use skms_wire::native::authorities::{
    AuthorityProfile, AuthorityRules, AuthorityView, CertifyRequest, CreateAuthorityRequest,
    InstallCertificateRequest, IssuerView, NameConstraints, RenewAuthorityRequest,
    UpdateAuthorityRequest,
};

use super::{
    answer::Reply, call::Call, certificates, convert::moment, error::Failure, paging, pem,
    views::hex,
};

fn view(view: &View, namespace: &str) -> Result<AuthorityView, Failure> {
    Ok(AuthorityView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name.clone(),
        keyring: view.keyring.clone(),
        key: view.key.clone(),
        subject: view.subject.clone(),
        issuers: view.issuers.iter().map(issuer).collect::<Result<_, _>>()?,
        request: view
            .request
            .as_ref()
            .map(|der| pem::encode("CERTIFICATE REQUEST", der))
            .transpose()?,
        rules: shown(&view.rules),
        profiles: view.named.iter().map(shown_profile).collect(),
        created_at: moment(view.created_at),
    })
}

fn issuer(issuer: &IssuerSeen) -> Result<IssuerView, Failure> {
    let mut chain = issuer
        .chain
        .iter()
        .map(|der| pem::certificate(der))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    Ok(IssuerView {
        number: issuer.number,
        keyring: issuer.keyring.clone(),
        key: issuer.key.clone(),
        key_version: issuer.version,
        certificate: chain.next().unwrap_or_default(),
        chain: chain.collect(),
        cross: issuer
            .cross
            .iter()
            .map(|der| pem::certificate(der))
            .collect::<Result<_, _>>()?,
        serial: hex(&issuer.serial),
        not_before: moment(issuer.not_before),
        not_after: moment(issuer.not_after),
        revoked: issuer.revoked as u64,
    })
}

fn shown(rules: &Rules) -> AuthorityRules {
    AuthorityRules {
        profiles: Some(
            rules
                .profiles
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect(),
        ),
        max_lifetime_seconds: rules.max_lifetime_seconds,
        publish_url: rules.publish_url.clone(),
        crl_seconds: Some(rules.crl_seconds),
        crl_shards: Some(rules.crl_shards),
        ocsp_seconds: Some(rules.ocsp_seconds),
        ocsp_signer: rules
            .ocsp_signer
            .as_ref()
            .map(|(keyring, key)| format!("{keyring}/{key}")),
        ocsp_presign: Some(rules.ocsp_presign),
        hold_suspended: Some(rules.hold_suspended),
        listener: Some(rules.listener),
    }
}

/// A profile by its name.
pub fn profile(name: &str) -> Result<ProfileKind, Failure> {
    name.parse().map_err(|_| {
        let known: Vec<&str> = ProfileKind::all().iter().map(|kind| kind.name()).collect();
        Failure::invalid(format!("unknown profile; known are {}", known.join(", ")))
    })
}

fn change(said: AuthorityRules) -> Result<RulesChange, Failure> {
    Ok(RulesChange {
        profiles: said
            .profiles
            .map(|names| names.iter().map(|name| profile(name)).collect())
            .transpose()?,
        max_lifetime_seconds: said.max_lifetime_seconds,
        publish_url: said
            .publish_url
            .map(|url| Some(url).filter(|url| !url.is_empty())),
        crl_seconds: said.crl_seconds,
        crl_shards: said.crl_shards,
        ocsp_seconds: said.ocsp_seconds,
        ocsp_signer: said.ocsp_signer.map(|text| {
            let (keyring, key) = text.split_once('/').unwrap_or(("default", &text));
            (!text.is_empty()).then(|| (keyring.to_owned(), key.to_owned()))
        }),
        ocsp_presign: said.ocsp_presign,
        hold_suspended: said.hold_suspended,
        listener: said.listener,
    })
}

fn extent(
    lifetime_seconds: Option<u64>,
    path_length: Option<u8>,
    constraints: Option<NameConstraints>,
) -> Result<Extent, Failure> {
    let constraints = constraints.unwrap_or_default();
    let subtrees = |texts: &[String]| -> Result<Vec<Subtree>, Failure> {
        texts
            .iter()
            .map(|text| {
                text.parse()
                    .map_err(|error| Failure::invalid(format!("{}: {error}", text.escape_debug())))
            })
            .collect()
    };
    Ok(Extent {
        lifetime_seconds,
        path_length,
        permitted: subtrees(&constraints.permitted)?,
        excluded: subtrees(&constraints.excluded)?,
    })
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_authorities(call.caller()?, &call.namespace)
        .await?;
    let items = all
        .iter()
        .map(|one| view(one, &call.namespace))
        .collect::<Result<_, _>>()?;
    Reply::json(&paging::sorted(items, &page, |item: &AuthorityView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateAuthorityRequest = call.json()?;
    let foundation = match (request.parent, request.external) {
        (None, false) => Foundation::Root,
        (Some(parent), false) => Foundation::Parent(parent),
        (None, true) => Foundation::External,
        (Some(_), true) => {
            return Err(Failure::invalid(
                "an authority has a parent here or waits for a certificate from elsewhere, \
                 not both",
            ));
        }
    };
    let new = NewAuthority {
        name: request.name,
        keyring: request.keyring,
        key: request.key,
        subject: certificates::subject(&request.subject)?,
        foundation,
        extent: extent(
            request.lifetime_seconds,
            request.path_length,
            request.name_constraints,
        )?,
        signature: request.signature,
        rules: change(request.rules.unwrap_or_default())?.apply(&Rules::default()),
    };
    let made = call
        .engine()
        .create_authority(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made, &call.namespace)?)
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_authority(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Reply::json(&view(&found, &call.namespace)?)
}

pub async fn update(call: Call) -> Result<Reply, Failure> {
    let request: UpdateAuthorityRequest = call.json()?;
    let changed = call
        .engine()
        .update_authority(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            change(request.rules)?,
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace)?)
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_authority(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Ok(Reply::Empty)
}

pub async fn install(call: Call) -> Result<Reply, Failure> {
    let request: InstallCertificateRequest = call.json()?;
    let chain = pem::decode_all(&request.certificates, &["CERTIFICATE"])?;
    let changed = call
        .engine()
        .install_authority_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            chain,
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace)?)
}

pub async fn renew(call: Call) -> Result<Reply, Failure> {
    let request: RenewAuthorityRequest = call.optional_json()?;
    let keyring = request.keyring.as_deref().unwrap_or("default");
    let onto = request.key.as_deref().map(|key| (keyring, key));
    let changed = call
        .engine()
        .renew_authority(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            onto,
            request.lifetime_seconds,
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace)?)
}

pub async fn certify(call: Call) -> Result<Reply, Failure> {
    let request: CertifyRequest = call.json()?;
    let subject = match (request.authority, request.request) {
        (Some(name), None) => Subject::Authority(name),
        (None, Some(text)) => Subject::Request(pem::decode(&text, pem::REQUEST)?),
        _ => return Err(Failure::invalid("give either authority or request")),
    };
    let extent = extent(
        request.lifetime_seconds,
        request.path_length,
        request.name_constraints,
    )?;
    let made = call
        .engine()
        .certify_authority(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            subject,
            extent,
        )
        .await?;
    let now = call.engine().now();
    Reply::json(&certificates::view(&made, now, true)?)
}

pub async fn publish(call: Call) -> Result<Reply, Failure> {
    let found = call
        .engine()
        .publish_authority(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Reply::json(&view(&found, &call.namespace)?)
}

fn shown_profile(one: &NamedProfile) -> (String, AuthorityProfile) {
    let one = one.clone();
    let profile = AuthorityProfile {
        base: one.base,
        domains: one.domains,
        email_domains: one.email_domains,
        uri_hosts: one.uri_hosts,
        networks: one.networks,
        subjects: one.subjects,
        no_wildcards: one.no_wildcards,
        subject_required: one.subject_required,
        most_names: one.most_names,
        algorithms: one.algorithms,
        minimum_strength_bits: one.minimum_strength_bits,
        max_lifetime_seconds: one.max_lifetime_seconds,
        default_lifetime_seconds: one.default_lifetime_seconds,
        purposes: one.purposes,
        policies: one.policies,
    };
    (one.name, profile)
}

pub async fn put_profile(call: Call) -> Result<Reply, Failure> {
    let said: AuthorityProfile = call.json()?;
    let profile = NamedProfile {
        name: call.param("profile").to_owned(),
        base: said.base,
        domains: said.domains,
        email_domains: said.email_domains,
        uri_hosts: said.uri_hosts,
        networks: said.networks,
        subjects: said.subjects,
        no_wildcards: said.no_wildcards,
        subject_required: said.subject_required,
        most_names: said.most_names,
        algorithms: said.algorithms,
        minimum_strength_bits: said.minimum_strength_bits,
        max_lifetime_seconds: said.max_lifetime_seconds,
        default_lifetime_seconds: said.default_lifetime_seconds,
        purposes: said.purposes,
        policies: said.policies,
    };
    let changed = call
        .engine()
        .put_authority_profile(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            profile,
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace)?)
}

pub async fn remove_profile(call: Call) -> Result<Reply, Failure> {
    let changed = call
        .engine()
        .remove_authority_profile(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            call.param("profile"),
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace)?)
}
