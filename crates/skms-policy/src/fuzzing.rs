//! Fuzz targets as plain functions: they must neither panic nor disagree with
//! themselves, whatever they are given.

use crate::rule::Rule;
use crate::{Document, PolicyName, PolicySet};

/// Any bytes as a policy document.
pub fn policy_document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(name) = PolicyName::new("root", "fuzz") else {
        return;
    };
    let checked = Document::compile(&name, text);
    let compiled = PolicySet::compile([(name, text.to_owned())]);
    assert_eq!(
        checked.is_ok(),
        compiled.is_ok(),
        "checking and compiling must accept the same documents"
    );
}

/// Any bytes as an automatic rule.
pub fn policy_rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(name) = PolicyName::new("root", "fuzz") else {
        return;
    };
    if let Ok(rule) = Rule::compile(&name, text) {
        assert!(!rule.triggers().is_empty(), "a rule without a trigger");
        let _ = rule.may_hold_for("key.decrypt", "failed");
    }
}
