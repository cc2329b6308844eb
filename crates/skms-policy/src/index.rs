//! The statements of a policy set, filed by what their heads name.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use cedar_policy::EntityUid;

use crate::{document::Statement, shared::SharedMap};

/// One side of a place in the index: an entity, or none for "any", with its
/// hash.
#[derive(Clone, Copy)]
pub(crate) struct Anchor<'a> {
    hash: u64,
    uid: Option<&'a EntityUid>,
}

/// Statements by the pair of entities their heads name. Copies share what
/// they have in common.
///
/// The pairs are looked up by their hashes alone, so that a request hashes
/// each of its entities once and copies none; who shares a hash by chance is
/// told apart by the statement's own anchors.
#[derive(Clone, Default)]
pub(crate) struct Index {
    hasher: RandomState,
    filed: SharedMap<(u64, u64), Vec<Arc<Statement>>>,
}

impl Index {
    pub(crate) fn anchor<'a>(&self, uid: Option<&'a EntityUid>) -> Anchor<'a> {
        Anchor {
            hash: self.hasher.hash_one(uid),
            uid,
        }
    }

    fn pair(&self, statement: &Statement) -> (u64, u64) {
        let scope = &statement.scope;
        (
            self.anchor(scope.principal.anchor.as_ref()).hash,
            self.anchor(scope.resource.anchor.as_ref()).hash,
        )
    }

    /// Files a statement. What lies together is kept in the order of names, so
    /// that a set does not depend on the order in which it was made.
    pub(crate) fn file(&mut self, statement: &Arc<Statement>) {
        let pair = self.pair(statement);
        let together = self.filed.shard(&pair).entry(pair).or_default();
        let at = together.partition_point(|other| other.order() < statement.order());
        together.insert(at, Arc::clone(statement));
    }

    /// Whether any statement is of a kind.
    pub(crate) fn any(&self, meant: impl Fn(&Statement) -> bool) -> bool {
        let all = self.filed.values().flatten();
        all.into_iter().any(|statement| meant(statement))
    }

    /// Takes a statement out that was filed before.
    pub(crate) fn withdraw(&mut self, statement: &Arc<Statement>) {
        let pair = self.pair(statement);
        let shard = self.filed.shard(&pair);
        if let Some(together) = shard.get_mut(&pair) {
            if let Ok(at) = together.binary_search_by(|other| other.order().cmp(&statement.order()))
            {
                together.remove(at);
            }
            if together.is_empty() {
                shard.remove(&pair);
            }
        }
    }

    /// The statements whose heads name just these.
    pub(crate) fn at<'a, 'b>(
        &'a self,
        principal: Anchor<'b>,
        resource: Anchor<'b>,
    ) -> impl Iterator<Item = &'a Statement> + use<'a, 'b> {
        self.filed
            .get(&(principal.hash, resource.hash))
            .into_iter()
            .flatten()
            .map(Arc::as_ref)
            .filter(move |statement| {
                statement.scope.principal.anchor.as_ref() == principal.uid
                    && statement.scope.resource.anchor.as_ref() == resource.uid
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, PolicyName};

    #[test]
    fn what_is_withdrawn_leaves_no_place_behind() {
        let name = PolicyName::new("root", "p").unwrap();
        let text = "permit (principal == SKMS::Principal::\"a\", action, resource);\n\
                    permit (principal == SKMS::Principal::\"a\", action, resource);\n\
                    permit (principal, action, resource);";
        let document = Document::compile(&name, text).unwrap();
        let mut index = Index::default();
        let places = |index: &Index| index.filed.values().map(Vec::len).collect::<Vec<_>>();
        for statement in document.statements.iter().rev() {
            index.file(statement);
        }
        let mut filed = places(&index);
        filed.sort_unstable();
        assert_eq!(filed, [1, 2]);
        for statement in &document.statements {
            index.withdraw(statement);
        }
        assert!(places(&index).is_empty());
    }
}
