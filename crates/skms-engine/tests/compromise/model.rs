//! The protocol of a compromise, explored whole: every order of the steps of
//! the compromise, its cascade, whoever uses dependents, whoever makes another
//! one, and crashes. The steps are those of `lineage/mod.rs`, `keychange.rs`
//! and `acts/compromise/cascade.rs`; that the program takes them so is what
//! `races.rs` tries.
//!
//! Each precaution can be left out, and then the search has to find what goes
//! wrong: so it is known to look.

use std::collections::{HashMap, HashSet, VecDeque};

/// Dependents there are at most: one from the start, one that is made.
const CHILDREN: usize = 2;

/// The precautions.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// A node is in the map before the record is read.
    node_first: bool,
    /// A use registers with the node and is waited for.
    drain: bool,
    /// A use asks once more before it answers.
    still_live: bool,
    /// Making a dependent compares the epoch in its batch.
    compare: bool,
    /// The cascade begins when nobody is in flight any more.
    wait: bool,
    /// The incident is in the batch of the compromise.
    intent: bool,
}

const ALL: Rules = Rules {
    node_first: true,
    drain: true,
    still_live: true,
    compare: true,
    wait: true,
    intent: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Child {
    None,
    Good,
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Incident {
    None,
    Open,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Compromise {
    Not,
    Committed,
    /// The key's own versions are closed.
    Closed,
    /// And the node.
    Flipped,
    Returned,
    /// The server was killed in between: nobody was told.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum User {
    Idle,
    /// It has the node and has not read the record.
    Node,
    /// It has read a record that was good, and has no node yet.
    Read,
    /// The dependent is open.
    Open,
    Using,
    /// It asked once more, and answers.
    Answering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Maker {
    Idle,
    Using,
    Made,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cascade {
    Not,
    /// It looks at this child next.
    At(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    // Durable.
    epoch: bool,
    incident: Incident,
    children: [Child; CHILDREN],
    // In memory.
    root_open: bool,
    /// Whether the node is in the map, and open.
    node: Option<bool>,
    root_uses: u8,
    node_uses: u8,
    // Who is where.
    compromise: Compromise,
    user: User,
    /// Which child it uses.
    uses: usize,
    maker: Maker,
    cascade: Cascade,
    crashes: u8,
    /// What must not be.
    wrong: Option<&'static str>,
}

fn first() -> State {
    State {
        epoch: false,
        incident: Incident::None,
        children: [Child::Good, Child::None],
        root_open: true,
        node: None,
        root_uses: 0,
        node_uses: 0,
        compromise: Compromise::Not,
        user: User::Idle,
        uses: 0,
        maker: Maker::Idle,
        cascade: Cascade::Not,
        crashes: 0,
        wrong: None,
    }
}

impl State {
    /// Whether somebody was told, or would be, that all is refused.
    fn settled(&self) -> bool {
        matches!(self.compromise, Compromise::Returned | Compromise::Lost)
    }

    fn compromise(&self, rules: Rules) -> Option<Self> {
        let mut next = self.clone();
        next.compromise = match self.compromise {
            Compromise::Not => {
                next.epoch = true;
                if rules.intent {
                    next.incident = Incident::Open;
                }
                Compromise::Committed
            }
            Compromise::Committed => {
                next.root_open = false;
                if !rules.intent {
                    next.incident = Incident::Open;
                }
                Compromise::Closed
            }
            Compromise::Closed => {
                next.node = self.node.map(|_| false);
                Compromise::Flipped
            }
            Compromise::Flipped => {
                let drained = self.root_uses == 0 && self.node_uses == 0;
                if rules.drain && !drained {
                    return None;
                }
                Compromise::Returned
            }
            Compromise::Returned | Compromise::Lost => return None,
        };
        Some(next)
    }

    fn user(&self, rules: Rules, child: usize) -> Vec<Self> {
        let mut next = self.clone();
        match self.user {
            User::Idle => {
                if self.children[child] == Child::None {
                    return Vec::new();
                }
                next.uses = child;
                next.user = match rules.node_first {
                    true => {
                        next.node = Some(self.node.unwrap_or(true));
                        User::Node
                    }
                    false if self.epoch => User::Idle,
                    false => User::Read,
                };
            }
            _ if self.uses != child => return Vec::new(),
            User::Node => {
                if self.epoch {
                    next.node = Some(false);
                }
                next.user = User::Open;
            }
            User::Read => {
                next.node = Some(self.node.unwrap_or(true));
                next.user = User::Open;
            }
            User::Open => {
                let open = self.node == Some(true) && self.children[child] == Child::Good;
                next.user = match open {
                    true => {
                        next.node_uses += 1;
                        User::Using
                    }
                    false => User::Idle,
                };
            }
            User::Using => {
                let live = !rules.still_live || self.node == Some(true);
                next.user = match live {
                    true => User::Answering,
                    false => {
                        next.node_uses -= 1;
                        User::Idle
                    }
                };
            }
            User::Answering => {
                if self.settled() {
                    next.wrong = Some("a dependent was used after the call returned");
                }
                next.node_uses -= 1;
                next.user = User::Idle;
            }
        }
        vec![next]
    }

    fn maker(&self, rules: Rules) -> Option<Self> {
        let mut next = self.clone();
        next.maker = match self.maker {
            Maker::Idle if self.root_open => {
                next.root_uses += 1;
                Maker::Using
            }
            Maker::Using if rules.compare && self.epoch => {
                next.root_uses -= 1;
                Maker::Over
            }
            Maker::Using => {
                next.children[1] = Child::Good;
                if self.settled() {
                    next.wrong = Some("a dependent was made after the call returned");
                }
                if self.incident == Incident::Done {
                    next.wrong = Some("a dependent was made behind the cascade");
                }
                Maker::Made
            }
            Maker::Made => {
                next.root_uses -= 1;
                Maker::Over
            }
            Maker::Idle | Maker::Over => return None,
        };
        Some(next)
    }

    fn cascade(&self, rules: Rules) -> Option<Self> {
        if self.incident != Incident::Open {
            return None;
        }
        let mut next = self.clone();
        next.cascade = match self.cascade {
            Cascade::Not => {
                let left = self.root_uses == 0 && self.node_uses == 0 && !self.root_open;
                if rules.wait && !left {
                    return None;
                }
                Cascade::At(0)
            }
            Cascade::At(child) if child < CHILDREN => {
                if self.children[child] == Child::Good {
                    next.children[child] = Child::Bad;
                }
                Cascade::At(child + 1)
            }
            Cascade::At(_) => {
                next.incident = Incident::Done;
                if next.children.contains(&Child::Good) {
                    next.wrong = Some("the cascade missed a dependent");
                }
                Cascade::Not
            }
        };
        Some(next)
    }

    fn crash(&self) -> Option<Self> {
        (self.crashes < 2).then(|| Self {
            root_open: !self.epoch,
            node: None,
            root_uses: 0,
            node_uses: 0,
            compromise: match self.compromise {
                Compromise::Not => Compromise::Not,
                _ => Compromise::Lost,
            },
            user: User::Idle,
            maker: match self.maker {
                Maker::Idle => Maker::Idle,
                _ if self.children[1] == Child::None => Maker::Idle,
                _ => Maker::Over,
            },
            cascade: Cascade::Not,
            crashes: self.crashes + 1,
            ..self.clone()
        })
    }

    fn next(&self, rules: Rules) -> Vec<(&'static str, Self)> {
        let mut all = Vec::new();
        all.extend(self.compromise(rules).map(|next| ("compromise", next)));
        for child in 0..CHILDREN {
            let used = self.user(rules, child).into_iter();
            all.extend(used.map(|next| ("use", next)));
        }
        all.extend(self.maker(rules).map(|next| ("make", next)));
        all.extend(self.cascade(rules).map(|next| ("cascade", next)));
        all.extend(self.crash().map(|next| ("crash", next)));
        all
    }
}

/// Goes through every state there is. Gives how many, or the shortest way to one
/// that is wrong.
fn explore(rules: Rules) -> Result<usize, String> {
    let mut seen = HashSet::from([first()]);
    let mut came: HashMap<State, (State, &'static str)> = HashMap::new();
    let mut open = VecDeque::from([first()]);
    while let Some(state) = open.pop_front() {
        let next = state.next(rules);
        // Nothing is left undone where nobody can do anything any more.
        let stuck = next
            .iter()
            .all(|(step, _)| matches!(*step, "use" | "crash" | "make"));
        let undone = state.settled() && state.incident == Incident::Open;
        let lost = state.settled() && state.epoch && state.incident == Incident::None;
        let wrong = state
            .wrong
            .or((lost).then_some("a compromise without its cascade"))
            .or(
                (stuck && undone && state.root_uses == 0 && state.node_uses == 0)
                    .then_some("a cascade that is never finished"),
            );
        if let Some(wrong) = wrong {
            let mut way = vec![wrong.to_owned()];
            let mut at = &state;
            while let Some((before, step)) = came.get(at) {
                way.push(format!("{step}: {at:?}"));
                at = before;
            }
            way.reverse();
            return Err(way.join("\n"));
        }
        for (step, next) in next {
            if seen.insert(next.clone()) {
                came.insert(next.clone(), (state.clone(), step));
                open.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn no_order_of_steps_lets_anything_slip_in() {
    let states = explore(ALL).unwrap_or_else(|way| panic!("{way}"));
    assert!(states > 1000, "{states}");
}

#[test]
fn the_search_finds_what_each_precaution_is_for() {
    let without = [
        (
            Rules {
                node_first: false,
                ..ALL
            },
            "was used after",
        ),
        (
            Rules {
                drain: false,
                ..ALL
            },
            "after the call returned",
        ),
        (
            Rules {
                compare: false,
                drain: false,
                ..ALL
            },
            "after the call returned",
        ),
        (
            Rules {
                compare: false,
                wait: false,
                ..ALL
            },
            "missed a dependent",
        ),
        (
            Rules {
                intent: false,
                ..ALL
            },
            "without its cascade",
        ),
    ];
    for (rules, what) in without {
        let way = explore(rules)
            .err()
            .unwrap_or_else(|| panic!("{rules:?} found nothing"));
        assert!(way.contains(what), "{rules:?}: {way}");
    }
}

#[test]
fn what_waits_need_not_compare_and_what_compares_need_not_wait() {
    // Two precautions against the same: a wait that is given up after its limit
    // leaves the other.
    for rules in [
        Rules {
            compare: false,
            ..ALL
        },
        Rules { wait: false, ..ALL },
        Rules {
            still_live: false,
            ..ALL
        },
    ] {
        explore(rules).unwrap_or_else(|way| panic!("{rules:?}\n{way}"));
    }
}
