//! The state of everybody, and every step that the attacker can let happen.

use std::collections::BTreeSet;

use super::terms::{Bindings, Fields1, Fields2, First, Fresh, Party, Second, Secret, Third};

/// What holds in a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub bindings: Bindings,
    /// Whose identity key the attacker has besides his own.
    pub stolen: Option<Party>,
    /// Whether that party is held to what the thief does.
    pub blamed: bool,
    /// Whether to look for a state where both sides finish, not for an attack.
    pub reachable: bool,
}

impl Rules {
    /// Whose key the attacker signs with.
    pub fn corrupt(&self, party: Party) -> bool {
        party == Party::Eve || self.stolen == Some(party)
    }

    /// Who is not answered for.
    pub fn excused(&self, party: Party) -> bool {
        party == Party::Eve || (self.stolen == Some(party) && !self.blamed)
    }
}

/// A client's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asking {
    pub client: Party,
    pub server: Party,
    pub sent: Option<First>,
    pub done: Option<Second>,
}

/// A server's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Answering {
    pub server: Party,
    pub answer: Second,
    pub confirmed: bool,
}

/// Everybody's state. What they have sent is what the attacker has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub asking: [Asking; 2],
    pub answering: Vec<Answering>,
}

const SERVERS: [Party; 2] = [Party::S, Party::T];
const ANSWERS: usize = 2;

impl State {
    /// Two runs of whichever clients, meant for whichever servers; the
    /// attacker's is one of them.
    pub fn starts() -> Vec<Self> {
        let mut runs = Vec::new();
        for client in [Party::A, Party::B] {
            for server in [Party::S, Party::T, Party::Eve] {
                runs.push(Asking {
                    client,
                    server,
                    sent: None,
                    done: None,
                });
            }
        }
        // Which of the two is called the first makes no difference.
        let pairs = (0..runs.len()).flat_map(|one| (one..runs.len()).map(move |two| [one, two]));
        pairs
            .map(|pair| Self {
                asking: pair.map(|at| runs[at]),
                answering: Vec::new(),
            })
            .collect()
    }

    fn firsts(&self) -> impl Iterator<Item = First> {
        self.asking.iter().filter_map(|run| run.sent)
    }

    fn seconds(&self) -> impl Iterator<Item = Second> {
        self.answering.iter().map(|run| run.answer)
    }

    fn thirds(&self) -> impl Iterator<Item = Third> {
        let done = self.asking.iter().filter_map(|run| run.done);
        done.map(|second| Third {
            second,
            mac_by: second.fields.secret,
        })
    }

    /// Whether the attacker has a secret: he made it, or has the ephemeral key
    /// that it was made for.
    pub fn known(secret: &Secret) -> bool {
        secret.made == Fresh::Eve || secret.to == Fresh::Eve
    }

    pub fn steps(&self, rules: &Rules) -> Vec<Self> {
        let mut next = Vec::new();
        self.requests(rules, &mut next);
        if self.answering.len() < ANSWERS {
            self.answers(rules, &mut next);
        }
        self.acceptances(rules, &mut next);
        self.confirmations(rules, &mut next);
        next
    }

    /// A client sends its message 1.
    fn requests(&self, rules: &Rules, next: &mut Vec<Self>) {
        for (run, asking) in (0u8..).zip(&self.asking) {
            if asking.sent.is_some() {
                continue;
            }
            let message = Fields1 {
                client: asking.client,
                server: asking.server,
                ephemeral: Fresh::Run(run),
                nonce: Fresh::Run(run),
            }
            .message(&rules.bindings);
            let mut state = self.clone();
            state.asking[usize::from(run)].sent = Some(message);
            next.push(state);
        }
    }

    /// Every message 1 that can be put together for a server: each field from
    /// what was seen or is his own, with every signature that was seen or that
    /// he can make.
    fn constructed_firsts(&self, server: Party, rules: &Rules) -> BTreeSet<First> {
        let mut fresh: BTreeSet<Fresh> = self.firsts().map(|one| one.fields.nonce).collect();
        fresh.insert(Fresh::Eve);
        let mut all = BTreeSet::new();
        for client in [Party::A, Party::B, Party::Eve] {
            for &ephemeral in &fresh {
                for &nonce in &fresh {
                    let fields = Fields1 {
                        client,
                        server,
                        ephemeral,
                        nonce,
                    };
                    let own = fields.message(&rules.bindings);
                    let taken = self
                        .firsts()
                        .map(|other| First { fields, ..other })
                        .filter(|one| one.by == client && one.signed == own.signed);
                    all.extend(taken);
                    if rules.corrupt(client) {
                        all.insert(own);
                    }
                }
            }
        }
        all
    }

    /// A server takes a message 1 and answers it.
    fn answers(&self, rules: &Rules, next: &mut Vec<Self>) {
        for server in SERVERS {
            for first in self.constructed_firsts(server, rules) {
                let entry = |first: &First| (first.fields.client, first.fields.nonce);
                let replayed = self.answering.iter().any(|other| {
                    other.server == server && entry(&other.answer.fields.first) == entry(&first)
                });
                if rules.bindings.replay && replayed {
                    continue;
                }
                // The runs of servers are numbered after those of clients.
                let run = u8::try_from(10 + self.answering.len()).unwrap();
                let answer = Fields2 {
                    first,
                    server,
                    secret: Secret {
                        made: Fresh::Run(run),
                        to: first.fields.ephemeral,
                        context: rules.bindings.first.then_some(first),
                    },
                }
                .message(&rules.bindings);
                let mut state = self.clone();
                state.answering.push(Answering {
                    server,
                    answer,
                    confirmed: false,
                });
                next.push(state);
            }
        }
    }

    /// Every message 2 that a client takes for the answer to what it sent: by
    /// the server that it meant, encapsulated to its key.
    fn constructed_seconds(&self, sent: &First, rules: &Rules) -> BTreeSet<Second> {
        let bindings = &rules.bindings;
        let server = sent.fields.server;
        let context = bindings.first.then_some(*sent);
        let to = sent.fields.ephemeral;
        // What the client makes of an encapsulation depends on its own T1.
        let own = Secret {
            made: Fresh::Eve,
            to,
            context,
        };
        let seen = self.seconds().map(|one| one.fields.secret);
        let secrets: BTreeSet<Secret> = seen
            .filter(|secret| secret.to == to && secret.context == context)
            .chain([own])
            .collect();
        let mut all = BTreeSet::new();
        for secret in secrets {
            let fields = Fields2 {
                first: *sent,
                server,
                secret,
            };
            let wanted = fields.message(bindings);
            let can_mac = Self::known(&secret);
            if rules.corrupt(server) && can_mac {
                all.insert(wanted);
            }
            for other in self.seconds() {
                // Without the encapsulation under the signature, the MAC is
                // outside of it as well, and can be made anew.
                let mac = other.mac_by == secret || (can_mac && !bindings.encapsulation);
                if other.by == server && other.signed == wanted.signed && mac {
                    all.insert(wanted);
                }
            }
        }
        all
    }

    /// A client takes a message 2 and confirms it.
    fn acceptances(&self, rules: &Rules, next: &mut Vec<Self>) {
        for (run, asking) in self.asking.iter().enumerate() {
            let (Some(sent), None) = (&asking.sent, &asking.done) else {
                continue;
            };
            for second in self.constructed_seconds(sent, rules) {
                let mut state = self.clone();
                state.asking[run].done = Some(second);
                next.push(state);
            }
        }
    }

    /// A server takes a message 3.
    fn confirmations(&self, rules: &Rules, next: &mut Vec<Self>) {
        for (run, answering) in self.answering.iter().enumerate() {
            let own = Third {
                second: answering.answer,
                mac_by: answering.answer.fields.secret,
            };
            let mut seen = self.thirds();
            let taken = State::known(&own.mac_by)
                || seen.any(|third| third == own || !rules.bindings.confirmation);
            if taken && !answering.confirmed {
                let mut state = self.clone();
                state.answering[run].confirmed = true;
                next.push(state);
            }
        }
    }
}
