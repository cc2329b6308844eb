//! What the engine tells, as ACME's objects.

use skms_engine::acts::acme::{AccountView, AuthorizationView, Failed, Opening, OrderView};
use skms_keys::UnixSeconds;
use skms_pki::acme::{AuthorizationStatus, ChallengeStatus, Identifier as Known, OrderStatus};
use skms_wire::Moment;
use skms_wire::acme::{
    Account, Authorization, Challenge, Directory, Identifier, Meta, Order, Problem, ProblemKind,
};

use super::path::Addresses;

pub fn moment(at: UnixSeconds) -> Moment {
    Moment::from_unix_seconds(at.0)
}

pub fn directory(addresses: &Addresses, opening: Opening) -> Directory {
    Directory {
        new_nonce: addresses.of("new-nonce"),
        new_account: addresses.of("new-account"),
        new_order: addresses.of("new-order"),
        revoke_cert: addresses.of("revoke-cert"),
        key_change: addresses.of("key-change"),
        renewal_info: addresses.of("renewal-info"),
        meta: Meta {
            terms_of_service: opening.terms_of_service,
            external_account_required: opening.external_account_required,
        },
    }
}

pub fn account(view: &AccountView) -> Account {
    Account {
        status: view.status.name(),
        contact: view.contact.clone(),
        terms_of_service_agreed: view.terms_agreed,
    }
}

pub fn order(addresses: &Addresses, view: &OrderView) -> Order {
    let valid = view.status == OrderStatus::Valid;
    Order {
        status: view.status.name(),
        expires: moment(view.expires_at),
        identifiers: view
            .authorizations
            .iter()
            .map(|one| identifier(&one.identifier))
            .collect(),
        not_before: None,
        not_after: None,
        error: view.error.as_ref().map(problem),
        authorizations: (0..view.authorizations.len())
            .map(|at| addresses.authorization(view.id, at))
            .collect(),
        finalize: addresses.finalize(view.id),
        certificate: valid.then(|| addresses.certificate(view.id, 0)),
        replaces: view.replaces.clone(),
    }
}

/// One authorization of an order.
pub fn authorization(addresses: &Addresses, view: &OrderView, at: usize) -> Option<Authorization> {
    let one = view.authorizations.get(at)?;
    // Once it is proved, the ways not taken are of no more use.
    let proved = one.status == AuthorizationStatus::Valid;
    let told = |status| !proved || status == ChallengeStatus::Valid;
    Some(Authorization {
        identifier: identifier(&one.identifier.base()),
        status: one.status.name(),
        expires: moment(view.expires_at),
        challenges: (0..one.challenges.len())
            .filter(|number| one.challenges.get(*number).is_some_and(|c| told(c.status)))
            .filter_map(|number| challenge(addresses, view, one, at, number))
            .collect(),
        wildcard: one.identifier.is_wildcard(),
    })
}

/// One challenge of an authorization.
pub fn challenge(
    addresses: &Addresses,
    order: &OrderView,
    of: &AuthorizationView,
    at: usize,
    number: usize,
) -> Option<Challenge> {
    let one = of.challenges.get(number)?;
    Some(Challenge {
        kind: one.kind.name(),
        url: addresses.challenge(order.id, at, one.kind),
        status: one.status.name(),
        token: one.token.clone(),
        validated: one.validated_at.map(moment),
        error: one.error.as_ref().map(problem),
    })
}

fn identifier(known: &Known) -> Identifier {
    Identifier {
        kind: known.kind().to_owned(),
        value: known.to_string(),
    }
}

fn problem(failed: &Failed) -> Problem {
    let kind = ProblemKind::by_name(&failed.kind).unwrap_or(ProblemKind::ServerInternal);
    Problem::new(kind, failed.detail.clone())
}
