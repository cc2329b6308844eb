//! What is promised, of one state.

use super::terms::Fields1;
use super::world::{Answering, Asking, Rules, State};

/// Whether a claim holds in a state.
type Claim = fn(&State, &Rules) -> bool;

/// The first claim that does not hold.
pub fn broken(state: &State, rules: &Rules) -> Option<&'static str> {
    if rules.reachable {
        return both_finished(state).then_some("both finished");
    }
    let claims: [(&'static str, Claim); 5] = [
        ("secrecy", secrecy),
        ("replay", no_replay),
        ("the server's peer", servers_peer),
        ("the client's peer", clients_peer),
        ("confirmation", confirmation),
    ];
    claims
        .into_iter()
        .find(|(_, holds)| !holds(state, rules))
        .map(|(name, _)| name)
}

fn both_finished(state: &State) -> bool {
    state.asking.iter().all(|run| run.done.is_some())
        && state.answering.len() == 2
        && state.answering.iter().all(|run| run.confirmed)
}

/// Client runs that finished with a server that is answered for.
fn finished<'s>(state: &'s State, rules: &'s Rules) -> impl Iterator<Item = &'s Asking> {
    let runs = state.asking.iter();
    runs.filter(|run| run.done.is_some() && !rules.excused(run.server))
}

/// Server runs for a client that is answered for.
fn served<'s>(state: &'s State, rules: &'s Rules) -> impl Iterator<Item = &'s Answering> {
    let runs = state.answering.iter();
    runs.filter(|run| !rules.excused(fields(run).client))
}

fn fields(run: &Answering) -> &Fields1 {
    &run.answer.fields.first.fields
}

/// Nobody else has the secret.
fn secrecy(state: &State, rules: &Rules) -> bool {
    let clients = finished(state, rules).filter_map(|run| run.done);
    let servers = served(state, rules).map(|run| run.answer);
    // A server alone may have answered a request whose key the attacker chose;
    // then it is the request that was not the client's.
    let clients_safe = clients
        .into_iter()
        .all(|done| !State::known(&done.fields.secret));
    let mut servers = servers.filter(|answer| is_asked(state, &answer.fields.first.fields));
    clients_safe && servers.all(|answer| !State::known(&answer.fields.secret))
}

fn is_asked(state: &State, fields: &Fields1) -> bool {
    let mut sent = state.asking.iter().filter_map(|run| run.sent);
    sent.any(|sent| sent.fields == *fields)
}

/// No request was answered twice.
fn no_replay(state: &State, rules: &Rules) -> bool {
    let keys: Vec<_> = served(state, rules)
        .map(|run| (fields(run).client, fields(run).ephemeral))
        .collect();
    // An ephemeral key that is the attacker's belongs to no request.
    let honest = |key: &(_, super::terms::Fresh)| key.1 != super::terms::Fresh::Eve;
    let honest: Vec<_> = keys.into_iter().filter(honest).collect();
    (1..honest.len()).all(|at| !honest[..at].contains(&honest[at]))
}

/// Whom a server answers has asked this, and asked this server.
fn servers_peer(state: &State, rules: &Rules) -> bool {
    served(state, rules).all(|run| fields(run).server == run.server && is_asked(state, fields(run)))
}

/// By whom a client is answered has answered this client, once, to just this
/// request, with just this message.
fn clients_peer(state: &State, rules: &Rules) -> bool {
    let mut used = Vec::new();
    finished(state, rules).all(|asking| {
        let at = state.answering.iter().position(|answering| {
            answering.server == asking.server
                && fields(answering).client == asking.client
                && Some(answering.answer.fields.first) == asking.sent
                && Some(answering.answer) == asking.done
        });
        let once = at.is_some_and(|at| !used.contains(&at));
        used.extend(at);
        once
    })
}

/// Whoever confirmed has finished, with the same messages.
fn confirmation(state: &State, rules: &Rules) -> bool {
    let mut confirmed = served(state, rules).filter(|run| run.confirmed);
    confirmed.all(|run| {
        let mut clients = state.asking.iter();
        clients.any(|asking| asking.client == fields(run).client && asking.done == Some(run.answer))
    })
}
