//! A set of policies as one immutable snapshot, indexed by scope.
//!
//! Cedar's evaluation grows with the number of policies it is shown. So each
//! statement is filed under the pair of entities its head names (principal or
//! group × resource or container); a request looks up the pairs made of its
//! own entities and their ancestors, drops what is for other actions, and
//! evaluates only the rest.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cedar_policy::{Authorizer, EntityUid};

use crate::{
    Action, Context, ContextFields, Error, Finding, PolicyName, Principal, ResourceRef, Result,
    document::{Document, Statement},
    entities::{self, Object, Subject, Unspoken},
    schema::Model,
};

/// One question: may this principal do this to that, now?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Arc<Principal>,
    /// To do what.
    pub action: Action,
    /// To which thing.
    pub resource: &'a ResourceRef<'a>,
    /// Under what circumstances.
    pub context: &'a Context,
}

/// The answer, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the act is allowed. Only a satisfied `permit`, and no `forbid`,
    /// makes it so.
    pub allowed: bool,
    /// The documents that determined it: one that permits, or all that
    /// forbid; none when nothing applied.
    pub policies: Vec<PolicyName>,
    /// Whether the answer stays right for as long as the policies, the
    /// principal, the resource's revision and the mentioned context fields
    /// stay as they are. False when the time of day had a part in it.
    pub cacheable: bool,
    /// What went wrong while evaluating. A `permit` that fails grants
    /// nothing; a `forbid` that fails forbids.
    pub errors: Vec<String>,
}

impl Decision {
    fn refused(reason: Unspoken) -> Self {
        Self {
            allowed: false,
            policies: Vec::new(),
            cacheable: false,
            errors: vec![reason],
        }
    }
}

/// A scope's anchors as numbers; 0 is "any".
type Pair = (u32, u32);

/// All policies in force, immutable.
pub struct PolicySet {
    epoch: u64,
    statements: Vec<Statement>,
    principals: HashMap<EntityUid, u32>,
    resources: HashMap<EntityUid, u32>,
    index: HashMap<Pair, Vec<usize>>,
    mentions: ContextFields,
    doubts: Vec<(PolicyName, Finding)>,
    authorizer: Authorizer,
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet")
            .field("epoch", &self.epoch)
            .field("statements", &self.statements.len())
            .finish_non_exhaustive()
    }
}

impl PolicySet {
    /// Parses, validates and indexes documents.
    ///
    /// # Errors
    /// The first document that does not parse, does not fit the schema, is a
    /// template, is empty or over a limit; or two documents of one name.
    pub fn compile(documents: impl IntoIterator<Item = (PolicyName, String)>) -> Result<Self> {
        let mut names = HashSet::new();
        let mut statements = Vec::new();
        let mut doubts = Vec::new();
        for (name, text) in documents {
            let name = Arc::new(name);
            if !names.insert(Arc::clone(&name)) {
                return Err(Error::Duplicate {
                    policy: name.to_string(),
                });
            }
            let document = Document::parse(&name, &text)?;
            statements.extend(document.statements);
            doubts.extend(
                document
                    .doubts
                    .into_iter()
                    .map(|finding| ((*name).clone(), finding)),
            );
        }
        Ok(Self::indexed(statements, doubts))
    }

    /// The set that permits nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::indexed(Vec::new(), Vec::new())
    }

    /// Checks one document without putting it in force, and returns what is
    /// doubtful about it: a statement that can never apply, mixed scripts.
    ///
    /// # Errors
    /// As for [`PolicySet::compile`].
    pub fn check(name: &PolicyName, text: &str) -> Result<Vec<Finding>> {
        Ok(Document::parse(&Arc::new(name.clone()), text)?.doubts)
    }

    fn indexed(statements: Vec<Statement>, doubts: Vec<(PolicyName, Finding)>) -> Self {
        static EPOCH: AtomicU64 = AtomicU64::new(1);
        let mut principals = HashMap::new();
        let mut resources = HashMap::new();
        let mut index: HashMap<Pair, Vec<usize>> = HashMap::new();
        let mut mentions = ContextFields::default();
        for (at, statement) in statements.iter().enumerate() {
            let pair = (
                number(&mut principals, statement.scope.principal.anchor.as_ref()),
                number(&mut resources, statement.scope.resource.anchor.as_ref()),
            );
            index.entry(pair).or_default().push(at);
            mentions = mentions.union(statement.mentions);
        }
        Self {
            epoch: EPOCH.fetch_add(1, Ordering::Relaxed),
            statements,
            principals,
            resources,
            index,
            mentions,
            doubts,
            authorizer: Authorizer::new(),
        }
    }

    /// A number that no other set compiled by this process has.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many `permit` and `forbid` statements are in force.
    #[must_use]
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// The context fields that decisions under this set can depend on.
    #[must_use]
    pub fn mentions(&self) -> ContextFields {
        self.mentions
    }

    /// What was doubtful about the documents, each with its name.
    #[must_use]
    pub fn doubts(&self) -> &[(PolicyName, Finding)] {
        &self.doubts
    }

    /// Decides by evaluating the statements that can apply.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.try_decide(request).unwrap_or_else(Decision::refused)
    }

    fn try_decide(&self, request: &Request<'_>) -> std::result::Result<Decision, Unspoken> {
        let model = Model::shared().map_err(|error| error.to_string())?;
        if !request.action.applies_to().contains(&request.resource.kind) {
            return Err(format!(
                "{} does not apply to a {}",
                request.action,
                request.resource.kind.name()
            ));
        }
        let subject = entities::subject(model, request.principal);
        let object = entities::object(model, request.resource)?;
        let slice = self.slice(request, &subject, &object);
        if slice.is_empty() {
            return Ok(Decision {
                allowed: false,
                policies: Vec::new(),
                cacheable: true,
                errors: Vec::new(),
            });
        }
        let action = model.action(request.action).ok_or("no such action")?;
        let entities = entities::entities(
            action,
            (&subject, request.principal),
            (&object, request.resource),
        )?;
        let cedar = cedar_policy::Request::new(
            subject.uid,
            action.uid(),
            object.uid,
            entities::context(request.context, self.mentions)?,
            None,
        )
        .map_err(|error| error.to_string())?;
        Ok(self.weigh(&slice, |statement| {
            let response = self
                .authorizer
                .is_authorized(&cedar, &statement.set, &entities);
            let diagnostics = response.diagnostics();
            if let Some(error) = diagnostics.errors().next() {
                return Verdict::Failed(error.to_string());
            }
            if diagnostics.reason().next().is_some() {
                Verdict::Satisfied
            } else {
                Verdict::Unsatisfied
            }
        }))
    }

    /// The statements that can apply: all `forbid`s first, then the
    /// `permit`s, those that do not look at the clock before those that do.
    fn slice(&self, request: &Request<'_>, subject: &Subject, object: &Object) -> Vec<&Statement> {
        let numbers = |known: &HashMap<EntityUid, u32>, uid: &EntityUid, parents: &[EntityUid]| {
            let mut found = vec![0];
            found.extend(
                std::iter::once(uid)
                    .chain(parents)
                    .filter_map(|uid| known.get(uid).copied()),
            );
            found
        };
        let principals = numbers(&self.principals, &subject.uid, &subject.parents);
        let resources = numbers(&self.resources, &object.uid, &object.parents);
        let mut slice = Vec::new();
        for principal in &principals {
            for resource in &resources {
                let filed = self.index.get(&(*principal, *resource));
                slice.extend(
                    filed
                        .into_iter()
                        .flatten()
                        .filter_map(|at| self.statements.get(*at))
                        .filter(|statement| {
                            statement
                                .reaches(request.principal.namespace(), request.resource.namespace)
                                && statement.scope.applies(
                                    &subject.uid,
                                    request.action,
                                    &object.uid,
                                )
                        }),
                );
            }
        }
        slice.sort_by_key(|statement| (!statement.forbids, statement.depends_on_time()));
        slice
    }

    /// Combines the statements of a slice: forbid wins, then one permit is
    /// enough, and nothing is a refusal.
    fn weigh(&self, slice: &[&Statement], evaluate: impl Fn(&Statement) -> Verdict) -> Decision {
        let mut decision = Decision {
            allowed: false,
            policies: Vec::new(),
            cacheable: true,
            errors: Vec::new(),
        };
        let mut forbidden = false;
        let mut forbidden_whenever = false;
        let (forbids, permits) = slice.split_at(slice.partition_point(|s| s.forbids));
        for statement in forbids {
            let against = match evaluate(statement) {
                Verdict::Unsatisfied => false,
                Verdict::Satisfied => true,
                Verdict::Failed(error) => {
                    decision.errors.push(format!("{}: {error}", statement.name));
                    true
                }
            };
            decision.cacheable &= !statement.depends_on_time();
            if against {
                forbidden = true;
                forbidden_whenever |= !statement.depends_on_time();
                name(&mut decision.policies, &statement.name);
            }
        }
        if forbidden {
            decision.cacheable |= forbidden_whenever;
            return decision;
        }
        for statement in permits {
            match evaluate(statement) {
                Verdict::Satisfied => {
                    decision.allowed = true;
                    decision.cacheable &= !statement.depends_on_time();
                    name(&mut decision.policies, &statement.name);
                    return decision;
                }
                Verdict::Unsatisfied => {}
                Verdict::Failed(error) => {
                    decision.errors.push(format!("{}: {error}", statement.name));
                }
            }
            decision.cacheable &= !statement.depends_on_time();
        }
        decision
    }
}

/// What one statement says to one request.
enum Verdict {
    Satisfied,
    Unsatisfied,
    Failed(String),
}

fn name(into: &mut Vec<PolicyName>, name: &PolicyName) {
    if !into.contains(name) {
        into.push(name.clone());
    }
}

fn number(known: &mut HashMap<EntityUid, u32>, anchor: Option<&EntityUid>) -> u32 {
    let Some(anchor) = anchor else { return 0 };
    let next = u32::try_from(known.len()).map_or(u32::MAX, |count| count.saturating_add(1));
    *known.entry(anchor.clone()).or_insert(next)
}
