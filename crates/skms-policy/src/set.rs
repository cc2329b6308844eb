//! A set of policies as one immutable snapshot, indexed by scope.
//!
//! Cedar's evaluation grows with the number of policies it is shown. So each
//! statement is filed under the pair of entities its head names (principal or
//! group × resource or container); a request looks up the pairs made of its
//! own entities and their ancestors, drops what is for other actions, and
//! evaluates only the rest.
//!
//! A set with one document more or less is a set of its own, which shares all
//! other documents and nearly all of the index with the one before.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cedar_policy::{Authorizer, Entities, EntityUid};

use crate::{
    Action, Context, ContextFields, Error, Finding, Mark, PolicyName, Principal, ResourceRef,
    Result,
    document::{Document, Statement},
    entities::{self, Object, Subject, Unspoken},
    index::{Anchor, Index},
    schema::Model,
    shared::SharedMap,
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
    /// The documents that determined it: one that permits, with all that mark
    /// it, or all that forbid; none when nothing applied.
    pub policies: Vec<PolicyName>,
    /// What it would be allowed by: it is not, but would be once all of these
    /// have the approvals that they ask for.
    pub marks: Vec<Arc<Mark>>,
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
            marks: Vec::new(),
            cacheable: false,
            errors: vec![reason],
        }
    }
}

/// All policies in force, immutable.
pub struct PolicySet {
    epoch: u64,
    documents: SharedMap<Arc<PolicyName>, Arc<Document>>,
    index: Index,
    statements: usize,
    /// Those that make acts wait for approval.
    marks: Arc<Vec<Arc<Statement>>>,
    /// How many documents mention each of [`ContextFields::EACH`].
    mentioning: [usize; ContextFields::EACH.len()],
    mentions: ContextFields,
    authorizer: Arc<Authorizer>,
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet")
            .field("epoch", &self.epoch)
            .field("statements", &self.statements)
            .finish_non_exhaustive()
    }
}

/// An epoch that no other set has.
fn epoch() -> u64 {
    static EPOCH: AtomicU64 = AtomicU64::new(1);
    EPOCH.fetch_add(1, Ordering::Relaxed)
}

impl PolicySet {
    /// Parses, validates and indexes documents.
    ///
    /// # Errors
    /// As for [`Document::compile`], for the first document with a mistake;
    /// or two documents of one name.
    pub fn compile(documents: impl IntoIterator<Item = (PolicyName, String)>) -> Result<Self> {
        // In the order of names each statement is filed behind the others.
        let mut compiled = BTreeMap::new();
        for (name, text) in documents {
            let document = Document::compile(&name, &text)?;
            if let Some(twice) = compiled.insert(name, document) {
                return Err(Error::Duplicate {
                    policy: twice.name.to_string(),
                });
            }
        }
        let mut set = Self::empty();
        for document in compiled.into_values() {
            set.put(document);
        }
        Ok(set)
    }

    /// The set that permits nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            epoch: epoch(),
            documents: SharedMap::default(),
            index: Index::default(),
            statements: 0,
            marks: Arc::default(),
            mentioning: Default::default(),
            mentions: ContextFields::default(),
            authorizer: Arc::new(Authorizer::new()),
        }
    }

    /// This set with a document more, or with it in place of the one that has
    /// its name.
    #[must_use]
    pub fn with(&self, document: Document) -> Self {
        let mut set = self.again();
        set.take_out(&Arc::clone(&document.name));
        set.put(document);
        set
    }

    /// This set without the document of that name, whether it had one or not.
    #[must_use]
    pub fn without(&self, name: &PolicyName) -> Self {
        let mut set = self.again();
        set.take_out(name);
        set
    }

    /// The same documents under an epoch of their own.
    fn again(&self) -> Self {
        Self {
            epoch: epoch(),
            documents: self.documents.clone(),
            index: self.index.clone(),
            marks: Arc::clone(&self.marks),
            authorizer: Arc::clone(&self.authorizer),
            ..*self
        }
    }

    /// Puts a document in whose name no other has.
    fn put(&mut self, document: Document) {
        for statement in &document.statements {
            self.index.file(statement);
            if statement.mark.is_some() {
                Arc::make_mut(&mut self.marks).push(Arc::clone(statement));
            }
        }
        self.statements += document.statements.len();
        self.count(document.mentions, |count| count + 1);
        let name = Arc::clone(&document.name);
        self.documents
            .shard(&name)
            .insert(Arc::clone(&name), Arc::new(document));
    }

    fn take_out(&mut self, name: &PolicyName) {
        let Some(document) = self.documents.remove(name) else {
            return;
        };
        for statement in &document.statements {
            self.index.withdraw(statement);
        }
        if document.statements.iter().any(|one| one.mark.is_some()) {
            let gone = |mark: &Arc<Statement>| *mark.name == *document.name;
            Arc::make_mut(&mut self.marks).retain(|mark| !gone(mark));
        }
        self.statements -= document.statements.len();
        self.count(document.mentions, |count| count - 1);
    }

    fn count(&mut self, mentions: ContextFields, change: impl Fn(usize) -> usize) {
        self.mentions = ContextFields::default();
        for (field, count) in ContextFields::EACH.iter().zip(&mut self.mentioning) {
            if mentions.contains(*field) {
                *count = change(*count);
            }
            if *count > 0 {
                self.mentions = self.mentions.union(*field);
            }
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
        self.statements
    }

    /// Whether anything waits for approval at all.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Whether an act may have to wait for approval, whoever does it to what.
    #[must_use]
    pub fn may_mark(&self, action: Action) -> bool {
        !action.waits_for_nobody()
            && (self.marks.iter()).any(|mark| mark.scope.actions.contains(action))
    }

    /// The context fields that decisions under this set can depend on.
    #[must_use]
    pub fn mentions(&self) -> ContextFields {
        self.mentions
    }

    /// What is doubtful about the documents, each with its name, in the order
    /// of names.
    #[must_use]
    pub fn doubts(&self) -> Vec<(&PolicyName, &Finding)> {
        let mut doubts: Vec<_> = self
            .documents
            .values()
            .flat_map(|document| document.doubts.iter().map(|doubt| (&*document.name, doubt)))
            .collect();
        doubts.sort_by_key(|(name, _)| *name);
        doubts
    }

    /// Decides by evaluating the statements that can apply.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.try_decide(request).unwrap_or_else(Decision::refused)
    }

    fn try_decide(&self, request: &Request<'_>) -> std::result::Result<Decision, Unspoken> {
        let Some(asked) = self.asked(request, |_| true)? else {
            return Ok(Decision {
                allowed: false,
                policies: Vec::new(),
                marks: Vec::new(),
                cacheable: true,
                errors: Vec::new(),
            });
        };
        Ok(self.weigh(&asked.slice, |statement| self.evaluate(&asked, statement)))
    }

    /// Whether a `forbid` holds that names the action itself in its head, with
    /// `==` or in a list: for what the server does by itself, which somebody
    /// has to have meant to forbid. One over all actions or over a group does
    /// not count, nor does one that fails: it was written about callers, and
    /// the server has neither their address nor their connection.
    #[must_use]
    pub fn forbids_by_name(&self, request: &Request<'_>) -> bool {
        let meant = |statement: &Statement| {
            statement.forbids && statement.scope.named.contains(request.action)
        };
        let Ok(Some(asked)) = self.asked(request, meant) else {
            return false;
        };
        let holds =
            |statement: &&Statement| matches!(self.evaluate(&asked, statement), Verdict::Satisfied);
        asked.slice.iter().any(holds)
    }

    /// What marks a request, whether anything permits it or not: for acts of
    /// somebody who is not calling. One that cannot be evaluated is one that
    /// matches.
    ///
    /// # Errors
    /// In words, where the request cannot be asked.
    pub fn marks(&self, request: &Request<'_>) -> std::result::Result<Vec<Arc<Mark>>, String> {
        let Some(asked) = self.asked(request, |statement| statement.mark.is_some())? else {
            return Ok(Vec::new());
        };
        let matching = asked
            .slice
            .iter()
            .filter(|statement| !matches!(self.evaluate(&asked, statement), Verdict::Unsatisfied));
        Ok(matching
            .filter_map(|statement| statement.mark.clone())
            .collect())
    }

    /// Whether [`PolicySet::forbids_by_name`] can hold for any request at all: for
    /// who would ask it many times.
    #[must_use]
    pub fn may_forbid_by_name(&self, action: Action) -> bool {
        self.index
            .any(|statement| statement.forbids && statement.scope.named.contains(action))
    }

    /// What can apply to a request and is meant, and what it is evaluated with;
    /// nothing where none is.
    fn asked(
        &self,
        request: &Request<'_>,
        meant: impl Fn(&Statement) -> bool,
    ) -> std::result::Result<Option<Asked<'_>>, Unspoken> {
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
        let mut slice = self.slice(request, &subject, &object);
        slice.retain(|statement| meant(statement));
        if slice.is_empty() {
            return Ok(None);
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
        Ok(Some(Asked {
            slice,
            cedar,
            entities,
        }))
    }

    fn evaluate(&self, asked: &Asked<'_>, statement: &Statement) -> Verdict {
        let response = self
            .authorizer
            .is_authorized(&asked.cedar, &statement.set, &asked.entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Verdict::Failed(error.to_string());
        }
        if diagnostics.reason().next().is_some() {
            Verdict::Satisfied
        } else {
            Verdict::Unsatisfied
        }
    }

    /// The statements that can apply: all `forbid`s first, then the
    /// `permit`s, those that do not look at the clock before those that do.
    fn slice(&self, request: &Request<'_>, subject: &Subject, object: &Object) -> Vec<&Statement> {
        let principals = self.anchors(&subject.uid, &subject.parents);
        let resources = self.anchors(&object.uid, &object.parents);
        let mut slice = Vec::new();
        for principal in &principals {
            for resource in &resources {
                slice.extend(self.index.at(*principal, *resource).filter(|statement| {
                    statement.reaches(request.principal.namespace(), request.resource.namespace)
                        && statement
                            .scope
                            .applies(&subject.uid, request.action, &object.uid)
                        && (statement.mark.is_none() || !request.action.waits_for_nobody())
                }));
            }
        }
        slice.sort_by_key(|statement| (!statement.forbids, statement.depends_on_time()));
        slice
    }

    /// "Any", an entity, and what it lies in.
    fn anchors<'a>(&self, uid: &'a EntityUid, parents: &'a [EntityUid]) -> Vec<Anchor<'a>> {
        std::iter::once(None)
            .chain(std::iter::once(uid).chain(parents).map(Some))
            .map(|uid| self.index.anchor(uid))
            .collect()
    }

    /// Combines the statements of a slice: forbid wins, then one permit is
    /// enough, and nothing is a refusal. A mark that cannot be evaluated is
    /// one that matches.
    fn weigh(&self, slice: &[&Statement], evaluate: impl Fn(&Statement) -> Verdict) -> Decision {
        let mut decision = Decision {
            allowed: false,
            policies: Vec::new(),
            marks: Vec::new(),
            cacheable: true,
            errors: Vec::new(),
        };
        let mut forbidden = false;
        let mut forbidden_whenever = false;
        let mut marks: Vec<&Arc<Mark>> = Vec::new();
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
            if let Some(mark) = statement.mark.as_ref().filter(|_| against) {
                marks.push(mark);
            } else if against {
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
                    decision.allowed = marks.is_empty();
                    decision.cacheable &= !statement.depends_on_time();
                    name(&mut decision.policies, &statement.name);
                    for mark in marks {
                        name(&mut decision.policies, mark.policy());
                        decision.marks.push(Arc::clone(mark));
                    }
                    return decision;
                }
                Verdict::Unsatisfied => {}
                Verdict::Failed(error) => {
                    decision.errors.push(format!("{}: {error}", statement.name));
                }
            }
            decision.cacheable &= !statement.depends_on_time();
        }
        for mark in marks {
            name(&mut decision.policies, mark.policy());
        }
        decision
    }
}

/// A request as Cedar has it, with the statements that can apply to it.
struct Asked<'a> {
    slice: Vec<&'a Statement>,
    cedar: cedar_policy::Request,
    entities: Entities,
}

/// What one statement says to one request.
enum Verdict {
    Satisfied,
    Unsatisfied,
    Failed(String),
}

fn name(into: &mut Vec<PolicyName>, name: &PolicyName) {
    if !into.contains(name) {
        // Nearly always the only one, and kept for long.
        into.reserve_exact(1);
        into.push(name.clone());
    }
}
