//! Each row of the wire room's route table and the function that serves it.

use std::{future::Future, pin::Pin};

use super::{
    acme, agree, answer::Reply, approvals, authorities, call::Call, certificates, directory,
    documents, due, error::Failure, est, events, exchange, groups, health, incidents, jobs,
    keyrings, keys, limits, namespaces, notifications, operations, policies, principals, rules,
    seals, ssh, storage, stream, tokens, trusts, tsa, validation, weak, withdrawals,
};

/// What serves a route.
pub type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

macro_rules! handlers {
    ($($id:literal => $function:path;)+) => {
        /// The handler of the route so named.
        pub fn handler(id: &str) -> Option<Handler> {
            match id {
                $($id => Some(|call| Box::pin($function(call))),)+
                _ => None,
            }
        }
    };
}

handlers! {
    "health" => health::health;
    "openapi" => health::openapi;
    "status" => health::status;
    "metrics" => health::metrics;
    "algorithms" => health::algorithms;

    "seal-status" => seals::status;
    "unseal" => seals::unseal;
    "seal" => seals::seal;
    "seal-list" => seals::list;
    "seal-add" => seals::add;
    "seal-remove" => seals::remove;

    "approval-list" => approvals::list;
    "approval-read" => approvals::read;
    "approval-approve" => approvals::approve;
    "approval-reject" => approvals::reject;
    "approval-key" => approvals::key;

    "authority-list" => authorities::list;
    "authority-create" => authorities::create;
    "authority-read" => authorities::read;
    "authority-update" => authorities::update;
    "authority-delete" => authorities::delete;
    "authority-profile-put" => authorities::put_profile;
    "authority-profile-delete" => authorities::remove_profile;
    "authority-install" => authorities::install;
    "authority-renew" => authorities::renew;
    "authority-certify" => authorities::certify;
    "authority-publish" => authorities::publish;

    "certificate-list" => certificates::list;
    "certificate-issue" => certificates::issue;
    "certificate-read" => certificates::read;
    "certificate-revoke" => certificates::revoke;
    "certificate-release" => certificates::release;

    "acme-read" => acme::read;
    "acme-enable" => acme::enable;
    "acme-disable" => acme::disable;
    "acme-key-list" => acme::keys;
    "acme-key-create" => acme::create_key;
    "acme-key-revoke" => acme::revoke_key;

    "est-read" => est::read;
    "est-enable" => est::enable;
    "est-disable" => est::disable;

    "ssh-authority-list" => ssh::list;
    "ssh-authority-create" => ssh::create;
    "ssh-authority-read" => ssh::read;
    "ssh-authority-delete" => ssh::delete;
    "ssh-role-write" => ssh::write_role;
    "ssh-role-delete" => ssh::delete_role;
    "ssh-sign" => ssh::sign;
    "ssh-certificate-list" => ssh::certificates;
    "ssh-certificate-read" => ssh::read_certificate;
    "ssh-revoke" => ssh::revoke;
    "ssh-krl" => ssh::krl;
    "tsa-list" => tsa::list;
    "tsa-create" => tsa::create;
    "tsa-read" => tsa::read;
    "tsa-delete" => tsa::delete;

    "weak-list" => weak::findings;
    "weak-sweep-read" => weak::sweep;
    "weak-sweep" => weak::start_sweep;
    "blocklist-list" => weak::lists;
    "blocklist-import" => weak::import;
    "blocklist-remove" => weak::remove;

    "trust-list" => trusts::list;
    "trust-create" => trusts::create;
    "trust-read" => trusts::read;
    "trust-update" => trusts::update;
    "trust-import-crl" => trusts::import;
    "trust-delete" => trusts::delete;

    "group-list" => groups::list;
    "group-create" => groups::create;
    "group-read" => groups::read;
    "group-delete" => groups::delete;
    "group-member-list" => groups::members;
    "group-member-add" => groups::add;
    "group-member-remove" => groups::remove;
    "group-rekey" => groups::rekey;
    "group-holders" => groups::holders;

    "namespace-list" => namespaces::list;
    "namespace-create" => namespaces::create;
    "namespace-read" => namespaces::read;
    "namespace-delete" => namespaces::delete;

    "keyring-list" => keyrings::list;
    "keyring-create" => keyrings::create;
    "keyring-read" => keyrings::read;
    "keyring-delete" => keyrings::delete;

    "key-list" => keys::list;
    "key-create" => keys::create;
    "key-import" => keys::import;
    "key-read" => keys::read;
    "key-update" => keys::update;
    "key-delete" => keys::delete;
    "key-version-list" => keys::versions;
    "key-version-read" => keys::version;
    "key-public" => keys::public;
    "key-rotate" => keys::rotate;
    "key-suspend" => keys::suspend;
    "key-resume" => keys::resume;
    "key-revoke" => keys::revoke;
    "key-compromise" => incidents::compromise;
    "key-compromise-plan" => incidents::plan;
    "key-due" => due::due;
    "key-lineage" => incidents::lineage;
    "algorithm-withdrawal-list" => withdrawals::list;
    "algorithm-withdraw" => withdrawals::withdraw;
    "algorithm-readmit" => withdrawals::readmit;
    "job-create" => jobs::create;
    "job-list" => jobs::list;
    "job-read" => jobs::read;
    "job-update" => jobs::update;
    "job-batch" => jobs::batch;
    "job-report" => jobs::report;
    "incident-list" => incidents::list;
    "incident-read" => incidents::read;
    "incident-touched" => incidents::touched;
    "incident-key" => incidents::key;
    "derive-key" => incidents::derive_key;
    "key-destroy" => keys::destroy;
    "key-restore" => keys::restore;
    "key-recovery-grant" => keys::recovery_grant;
    "key-holders" => groups::of_key;
    "key-export" => keys::export;

    "encrypt" => operations::encrypt;
    "decrypt" => operations::decrypt;
    "reencrypt" => operations::reencrypt;
    "datakey" => operations::datakey;
    "wrap" => operations::wrap;
    "unwrap" => operations::unwrap;
    "sign" => operations::sign;
    "sign-document" => documents::sign;
    "timestamp" => documents::stamp;
    "verify" => operations::verify;
    "mac" => operations::mac;
    "mac-verify" => operations::mac_verify;
    "derive" => operations::derive;
    "agree" => agree::agree;
    "agree-key" => agree::agree_key;
    "encapsulate" => operations::encapsulate;
    "decapsulate" => operations::decapsulate;
    "random" => operations::random;
    "hash" => operations::hash;

    "certificate-validate" => validation::validate;
    "document-verify" => documents::verify;

    "exchange" => exchange::begin;
    "exchange-confirm" => exchange::confirm;
    "exchange-bind" => exchange::bind;

    "directory-own" => directory::own;
    "directory-publish" => directory::publish;
    "directory-withdraw" => directory::withdraw;
    "directory-lookup" => directory::look_up;
    "directory-crls" => directory::crls;

    "token-list" => tokens::list;
    "token-create" => tokens::create;
    "token-self" => tokens::own;
    "token-read" => tokens::read;
    "token-revoke" => tokens::revoke;

    "policy-list" => policies::list;
    "policy-read" => policies::read;
    "policy-write" => policies::write;
    "policy-delete" => policies::delete;

    "principal-list" => principals::list;
    "principal-create" => principals::create;
    "principal-read" => principals::read;
    "principal-delete" => principals::delete;

    "principal-suspend" => rules::suspend_principal;
    "principal-resume" => rules::resume_principal;
    "principal-suspended-list" => rules::suspended_principals;

    "rule-list" => rules::list;
    "rule-read" => rules::read;
    "rule-write" => rules::write;
    "rule-delete" => rules::delete;
    "rule-release" => rules::release;
    "rule-test" => rules::test;
    "rule-act-list" => rules::acts;
    "rule-act-undo" => rules::undo;
    "verdict-submit" => rules::verdict;

    "limits-read" => limits::read;
    "limits-write" => limits::write;

    "event-list" => events::list;
    "event-stream" => stream::stream;

    "notification-channel-list" => notifications::list;
    "notification-channel-create" => notifications::create;
    "notification-channel-read" => notifications::read;
    "notification-channel-update" => notifications::update;
    "notification-channel-delete" => notifications::delete;
    "notification-channel-secret" => notifications::rotate_secret;
    "notification-channel-test" => notifications::test;
    "dead-letter-list" => notifications::dead_letters;
    "dead-letter-retry" => notifications::retry;
    "dead-letter-discard" => notifications::discard;

    "storage-rotate-storage-key" => storage::rotate_storage_key;
    "storage-rotate-root" => storage::rotate_root;
    "storage-backup" => storage::backup;
    "storage-verify" => storage::verify;
}

#[cfg(test)]
mod tests {
    use skms_wire::native::routes::ROUTES;

    use super::*;

    #[test]
    fn every_route_has_a_handler() {
        for route in ROUTES {
            assert!(handler(route.id).is_some(), "{}", route.id);
        }
        assert!(handler("nonesuch").is_none());
    }
}
