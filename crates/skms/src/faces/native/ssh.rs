//! SSH certificate authorities.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use skms_engine::acts::ssh::{CertificateView, NewAuthority, NewCertificate, View, What};
use skms_keys::UnixSeconds;
use skms_pki::issue::IpNetwork;
use skms_pki::ssh::{Asked, CertificateType, Role};
use skms_wire::Bytes;
use skms_wire::native::ssh::{
    CreateSshAuthorityRequest, PutSshRoleRequest, SshAuthorityView, SshCertificateType,
    SshCertificateView, SshKrlResponse, SshRevokeRequest, SshRoleView, SshSignRequest,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn view(view: &View, namespace: &str) -> SshAuthorityView {
    SshAuthorityView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name.clone(),
        certificate_type: word(view.certificate_type),
        keyring: view.keyring.clone(),
        key: view.key.clone(),
        key_version: view.version,
        signature: view.signature.to_owned(),
        public_key: view.public_key.clone(),
        fingerprint: fingerprint(&view.fingerprint),
        roles: view
            .roles
            .iter()
            .map(|(name, role)| (name.clone(), shown(role)))
            .collect(),
        krl_version: view.krl_version,
        created_at: moment(view.created_at),
    }
}

/// What is told about a certificate; with itself if `whole`.
fn certificate(view: CertificateView, whole: bool) -> SshCertificateView {
    let key = view.certificate.key.sha256();
    let grant = view.certificate.grant;
    let at = |seconds: u64| moment(UnixSeconds(i64::try_from(seconds).unwrap_or(i64::MAX)));
    SshCertificateView {
        serial: grant.serial.to_string(),
        authority: view.authority,
        role: view.role,
        certificate_type: word(grant.certificate_type),
        key_id: grant.key_id,
        principals: grant.principals,
        valid_after: at(grant.valid_after),
        valid_before: at(grant.valid_before),
        critical_options: grant.critical_options,
        extensions: grant.extensions,
        key_fingerprint: fingerprint(&key),
        revoked: view.revoked,
        issued_to: view.issued_to,
        issued_at: moment(view.issued_at),
        certificate: whole.then_some(view.line),
    }
}

fn word(kind: CertificateType) -> SshCertificateType {
    match kind {
        CertificateType::User => SshCertificateType::User,
        CertificateType::Host => SshCertificateType::Host,
    }
}

/// As OpenSSH shows it.
fn fingerprint(hash: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
}

fn shown(role: &Role) -> SshRoleView {
    let networks = role.source_addresses.iter();
    SshRoleView {
        principals: role.principals.clone(),
        default_principals: role.default_principals.clone(),
        default_seconds: role.default_seconds,
        max_seconds: role.max_seconds,
        extensions: role.extensions.clone(),
        allowed_extensions: role.allowed_extensions.clone(),
        force_command: role.force_command.clone(),
        source_addresses: networks.map(IpNetwork::to_string).collect(),
        verify_required: role.verify_required,
        key_types: role.key_types.clone(),
        key_id: role.key_id.clone(),
    }
}

/// A role as it is said, with the usual for what is not, which differs for
/// users and hosts.
fn role(said: PutSshRoleRequest, networks: Vec<IpNetwork>, kind: CertificateType) -> Role {
    let usual = Role::default();
    let max_seconds = said
        .max_seconds
        .or(said.default_seconds.map(|one| one.max(usual.max_seconds)))
        .unwrap_or(usual.max_seconds);
    let extensions = match (said.extensions, kind) {
        (Some(said), _) => said,
        (None, CertificateType::User) => usual.extensions,
        (None, CertificateType::Host) => Vec::new(),
    };
    Role {
        principals: said.principals,
        default_principals: said.default_principals,
        default_seconds: said
            .default_seconds
            .unwrap_or(usual.default_seconds.min(max_seconds)),
        max_seconds,
        extensions,
        allowed_extensions: said.allowed_extensions,
        force_command: said.force_command,
        source_addresses: networks,
        verify_required: said.verify_required,
        key_types: said.key_types,
        key_id: said.key_id.unwrap_or(usual.key_id),
    }
}

fn networks(texts: &[String]) -> Result<Vec<IpNetwork>, Failure> {
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| Failure::invalid(format!("{} is no network", text.escape_debug())))
        })
        .collect()
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_ssh_authorities(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|one| view(one, &call.namespace)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &SshAuthorityView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateSshAuthorityRequest = call.json()?;
    let new = NewAuthority {
        name: request.name,
        certificate_type: match request.certificate_type {
            SshCertificateType::User => CertificateType::User,
            SshCertificateType::Host => CertificateType::Host,
        },
        keyring: request.keyring,
        key: request.key,
        signature: request.signature,
    };
    let made = call
        .engine()
        .create_ssh_authority(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made, &call.namespace))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_ssh_authority(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Reply::json(&view(&found, &call.namespace))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_ssh_authority(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Ok(Reply::Empty)
}

pub async fn write_role(call: Call) -> Result<Reply, Failure> {
    let said: PutSshRoleRequest = call.json()?;
    let networks = networks(&said.source_addresses)?;
    let at = (
        &*call.namespace,
        call.param("authority"),
        call.param("role"),
    );
    let written = call
        .engine()
        .write_ssh_role(call.caller()?, at, move |kind| role(said, networks, kind))
        .await?;
    Reply::json(&view(&written, &call.namespace))
}

pub async fn delete_role(call: Call) -> Result<Reply, Failure> {
    let at = (
        &*call.namespace,
        call.param("authority"),
        call.param("role"),
    );
    call.engine().delete_ssh_role(call.caller()?, at).await?;
    Ok(Reply::Empty)
}

pub async fn sign(call: Call) -> Result<Reply, Failure> {
    let request: SshSignRequest = call.json()?;
    let new = NewCertificate {
        public_key: request.public_key,
        asked: Asked {
            principals: request.principals,
            seconds: request.lifetime_seconds,
            extensions: request.extensions,
            force_command: request.force_command,
            source_addresses: networks(&request.source_addresses)?,
        },
    };
    let at = (
        &*call.namespace,
        call.param("authority"),
        call.param("role"),
    );
    let made = call
        .engine()
        .sign_ssh_certificate(call.caller()?, at, new)
        .await?;
    Reply::json(&certificate(made, true))
}

pub async fn certificates(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_ssh_certificates(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            &page,
        )
        .await?;
    let items = found.into_iter().map(|one| certificate(one, false));
    Reply::json(&paging::page(items.collect(), next))
}

pub async fn read_certificate(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_ssh_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            call.param("serial"),
        )
        .await?;
    Reply::json(&certificate(found, true))
}

pub async fn revoke(call: Call) -> Result<Reply, Failure> {
    let request: SshRevokeRequest = call.json()?;
    let mut what = Vec::new();
    what.extend(request.serials.into_iter().map(What::Serial));
    what.extend(request.key_ids.into_iter().map(What::KeyId));
    what.extend(request.public_keys.into_iter().map(What::Key));
    let changed = call
        .engine()
        .revoke_ssh(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            what,
        )
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn krl(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_ssh_list(call.caller()?, &call.namespace, call.param("authority"))
        .await?;
    Reply::json(&SshKrlResponse {
        version: found.version,
        krl: Bytes::new(found.bytes.to_vec()),
    })
}
