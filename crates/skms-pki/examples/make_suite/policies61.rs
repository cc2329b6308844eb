//! Section 6.1: policies.

use crate::der::{inhibit_any_policy, policies, policy_constraints, policy_mappings};
use crate::maker::{Cert, Inputs, Maker, Result};

const NONE: Inputs = Inputs {
    policies: &[],
    explicit: false,
    no_mapping: false,
    no_any: false,
};

pub fn make(m: &mut Maker) -> Result<()> {
    inputs(m)?;
    mappings(m)?;
    constraints(m)
}

/// 6.1.1(c), (e)–(g), 6.1.2, 6.1.3(d)–(f), 6.1.5(g).
fn inputs(m: &mut Maker) -> Result<()> {
    let explicit = Inputs {
        explicit: true,
        ..NONE
    };
    let only = |policies| Inputs {
        policies,
        ..explicit
    };
    let step = "6.1.1(c), (f), 6.1.2(a), (d), 6.1.3(d)(1), 6.1.5(g): policies named all along";
    m.authority(Cert::ca("P12", "Root").with(policies(&[1, 2])))?;
    m.cert(Cert::leaf("P1 leaf", "P12").with(policies(&[1])))?;
    let path = ["Root", "P12", "P1 leaf"];
    m.ask(step, "policy-any", &path, true, explicit)?;
    m.ask(step, "policy-wanted", &path, true, only(&[1]))?;
    m.ask(step, "policy-wanted-or-another", &path, true, only(&[3, 1]))?;
    m.ask(step, "policy-wanted-is-another", &path, false, only(&[2]))?;
    m.ask(
        step,
        "policy-another-but-none-required",
        &path,
        true,
        Inputs {
            policies: &[2],
            ..NONE
        },
    )?;
    m.cert(Cert::leaf("P3 leaf", "P12").with(policies(&[3])))?;
    m.ask(
        step,
        "policy-not-the-authoritys",
        &["Root", "P12", "P3 leaf"],
        false,
        explicit,
    )?;
    m.case(
        step,
        "policy-not-the-authoritys-none-required",
        &["Root", "P12", "P3 leaf"],
        true,
    )?;

    let step = "6.1.2(d), (f), 6.1.3(e), (f): no policies, and explicit_policy";
    m.cert(Cert::leaf("P none", "P12"))?;
    m.ask(
        step,
        "policies-absent",
        &["Root", "P12", "P none"],
        false,
        explicit,
    )?;
    m.case(
        step,
        "policies-absent-none-required",
        &["Root", "P12", "P none"],
        true,
    )?;

    let step = "6.1.1(g), 6.1.2(e), 6.1.3(d)(2), (d)(3): anyPolicy";
    m.authority(Cert::ca("Pany", "Root").with(policies(&[0])))?;
    m.cert(Cert::leaf("Pany leaf", "Pany").with(policies(&[1])))?;
    let path = ["Root", "Pany", "Pany leaf"];
    m.ask(step, "any-policy-above", &path, true, only(&[1]))?;
    m.ask(
        step,
        "any-policy-above-another-wanted",
        &path,
        false,
        only(&[2]),
    )?;
    m.ask(
        step,
        "any-policy-inhibited",
        &path,
        false,
        Inputs {
            no_any: true,
            ..explicit
        },
    )?;
    m.cert(Cert::leaf("P12 leaf any", "P12").with(policies(&[0])))?;
    m.ask(
        step,
        "any-policy-in-the-leaf",
        &["Root", "P12", "P12 leaf any"],
        true,
        only(&[2]),
    )?;
    m.ask(
        step,
        "any-policy-in-the-leaf-another",
        &["Root", "P12", "P12 leaf any"],
        false,
        only(&[3]),
    )?;
    m.cert(
        Cert::ca("Pany rolled", "Pany")
            .subject("Pany")
            .with(policies(&[0])),
    )?;
    m.list(crate::maker::List::new("Pany rolled", "Pany").signer("Pany rolled"))?;
    m.cert(
        Cert::leaf("Pany rolled leaf", "Pany")
            .signer("Pany rolled")
            .with(policies(&[1])),
    )?;
    let path = ["Root", "Pany", "Pany rolled", "Pany rolled leaf"];
    m.ask(step, "any-policy-twice", &path, true, only(&[1]))
}

/// 6.1.2(h), 6.1.4(a), (b).
fn mappings(m: &mut Maker) -> Result<()> {
    let explicit = Inputs {
        explicit: true,
        ..NONE
    };
    let only = |policies| Inputs {
        policies,
        ..explicit
    };
    let step = "6.1.1(e), 6.1.2(h), 6.1.4(b)(1), (2): policy mappings";
    let mapped = Cert::ca("Map", "Root").with(policies(&[1, 2]));
    m.authority(mapped.with(policy_mappings(&[(1, 3)])))?;
    m.cert(Cert::leaf("Map 3", "Map").with(policies(&[3])))?;
    m.cert(Cert::leaf("Map 1", "Map").with(policies(&[1])))?;
    m.cert(Cert::leaf("Map 2", "Map").with(policies(&[2])))?;
    m.ask(step, "mapped", &["Root", "Map", "Map 3"], true, only(&[1]))?;
    m.ask(
        step,
        "mapped-name-is-the-anchors",
        &["Root", "Map", "Map 3"],
        false,
        only(&[3]),
    )?;
    m.ask(
        step,
        "mapped-away",
        &["Root", "Map", "Map 1"],
        false,
        explicit,
    )?;
    m.ask(
        step,
        "beside-the-mapping",
        &["Root", "Map", "Map 2"],
        true,
        only(&[2]),
    )?;
    m.ask(
        step,
        "mapping-inhibited",
        &["Root", "Map", "Map 3"],
        false,
        Inputs {
            no_mapping: true,
            ..explicit
        },
    )?;
    m.ask(
        step,
        "mapping-inhibited-beside",
        &["Root", "Map", "Map 2"],
        true,
        Inputs {
            no_mapping: true,
            ..explicit
        },
    )?;
    let any = Cert::ca("Map any", "Root").with(policies(&[0]));
    m.authority(any.with(policy_mappings(&[(1, 3)])))?;
    m.cert(Cert::leaf("Map any 3", "Map any").with(policies(&[3])))?;
    m.ask(
        step,
        "mapped-below-any-policy",
        &["Root", "Map any", "Map any 3"],
        true,
        only(&[1]),
    )?;

    let step = "6.1.4(a): anyPolicy is not mapped";
    let from = Cert::ca("Map from any", "Root").with(policies(&[0]));
    m.authority(from.with(policy_mappings(&[(0, 3)])))?;
    m.cert(Cert::leaf("Map from any 3", "Map from any").with(policies(&[3])))?;
    m.case(
        step,
        "mapping-from-any-policy",
        &["Root", "Map from any", "Map from any 3"],
        false,
    )?;
    let to = Cert::ca("Map to any", "Root").with(policies(&[1]));
    m.authority(to.with(policy_mappings(&[(1, 0)])))?;
    m.cert(Cert::leaf("Map to any 3", "Map to any").with(policies(&[3])))?;
    m.case(
        step,
        "mapping-to-any-policy",
        &["Root", "Map to any", "Map to any 3"],
        false,
    )
}

/// 6.1.2(d)–(f), 6.1.4(h), (i), (j), 6.1.5(a), (b).
fn constraints(m: &mut Maker) -> Result<()> {
    let step = "6.1.4(h)(1), (i)(1), 6.1.5(a): requireExplicitPolicy";
    m.authority(Cert::ca("RE0", "Root").with(policy_constraints(Some(0), None)))?;
    m.cert(Cert::leaf("RE0 leaf", "RE0"))?;
    m.case(
        step,
        "explicit-required-at-once",
        &["Root", "RE0", "RE0 leaf"],
        false,
    )?;
    m.authority(Cert::ca("RE1", "Root").with(policy_constraints(Some(1), None)))?;
    m.cert(Cert::leaf("RE1 leaf", "RE1"))?;
    m.case(
        step,
        "explicit-required-from-the-leaf",
        &["Root", "RE1", "RE1 leaf"],
        false,
    )?;
    m.authority(Cert::ca("RE2", "Root").with(policy_constraints(Some(2), None)))?;
    m.cert(Cert::leaf("RE2 leaf", "RE2"))?;
    m.case(
        step,
        "explicit-required-too-far-down",
        &["Root", "RE2", "RE2 leaf"],
        true,
    )?;
    m.authority(Cert::ca("RE2 sub", "RE2"))?;
    m.cert(Cert::leaf("RE2 sub leaf", "RE2 sub"))?;
    m.case(
        step,
        "explicit-counted-down",
        &["Root", "RE2", "RE2 sub", "RE2 sub leaf"],
        false,
    )?;
    m.cert(Cert::ca("RE2 rolled", "RE2").subject("RE2"))?;
    m.list(crate::maker::List::new("RE2 rolled", "RE2").signer("RE2 rolled"))?;
    m.cert(Cert::leaf("RE2 rolled leaf", "RE2").signer("RE2 rolled"))?;
    let path = ["Root", "RE2", "RE2 rolled", "RE2 rolled leaf"];
    m.case(step, "explicit-not-counted-by-self-issued", &path, true)?;

    let step = "6.1.5(b): requireExplicitPolicy of zero in the target";
    m.cert(Cert::leaf("RE leaf 0", "CA").with(policy_constraints(Some(0), None)))?;
    m.case(
        step,
        "explicit-required-by-the-leaf",
        &["Root", "CA", "RE leaf 0"],
        false,
    )?;
    m.cert(Cert::leaf("RE leaf 1", "CA").with(policy_constraints(Some(1), None)))?;
    m.case(
        step,
        "explicit-required-below-the-leaf",
        &["Root", "CA", "RE leaf 1"],
        true,
    )?;

    let step = "6.1.4(h)(2), (i)(2): inhibitPolicyMapping";
    let top = Cert::ca("IM0", "Root").with(policies(&[1]));
    m.authority(top.with(policy_constraints(Some(0), Some(0))))?;
    let sub = Cert::ca("IM0 sub", "IM0").with(policies(&[1]));
    m.authority(sub.with(policy_mappings(&[(1, 2)])))?;
    m.cert(Cert::leaf("IM0 leaf", "IM0 sub").with(policies(&[2])))?;
    m.case(
        step,
        "mapping-inhibited-above",
        &["Root", "IM0", "IM0 sub", "IM0 leaf"],
        false,
    )?;
    let top = Cert::ca("IM1", "Root").with(policies(&[1]));
    m.authority(top.with(policy_constraints(Some(0), Some(1))))?;
    let sub = Cert::ca("IM1 sub", "IM1").with(policies(&[1]));
    m.authority(sub.with(policy_mappings(&[(1, 2)])))?;
    m.cert(Cert::leaf("IM1 leaf", "IM1 sub").with(policies(&[2])))?;
    m.case(
        step,
        "mapping-inhibited-one-later",
        &["Root", "IM1", "IM1 sub", "IM1 leaf"],
        true,
    )?;

    let step = "6.1.4(h)(3), (j): inhibitAnyPolicy";
    let explicit = Inputs {
        explicit: true,
        ..NONE
    };
    m.authority(
        Cert::ca("IA0", "Root")
            .with(policies(&[1]))
            .with(inhibit_any_policy(0)),
    )?;
    m.cert(Cert::leaf("IA0 leaf", "IA0").with(policies(&[0])))?;
    m.ask(
        step,
        "any-inhibited-above",
        &["Root", "IA0", "IA0 leaf"],
        false,
        explicit,
    )?;
    m.authority(
        Cert::ca("IA1", "Root")
            .with(policies(&[1]))
            .with(inhibit_any_policy(1)),
    )?;
    m.cert(Cert::leaf("IA1 leaf", "IA1").with(policies(&[0])))?;
    m.ask(
        step,
        "any-inhibited-one-later",
        &["Root", "IA1", "IA1 leaf"],
        true,
        explicit,
    )?;
    m.authority(Cert::ca("IA1 sub", "IA1").with(policies(&[0])))?;
    m.cert(Cert::leaf("IA1 sub leaf", "IA1 sub").with(policies(&[0])))?;
    let path = ["Root", "IA1", "IA1 sub", "IA1 sub leaf"];
    m.ask(step, "any-inhibited-counted-down", &path, false, explicit)?;
    m.cert(
        Cert::ca("IA0 rolled", "IA0")
            .subject("IA0")
            .with(policies(&[0])),
    )?;
    m.list(crate::maker::List::new("IA0 rolled", "IA0").signer("IA0 rolled"))?;
    m.cert(
        Cert::leaf("IA0 rolled leaf", "IA0")
            .signer("IA0 rolled")
            .with(policies(&[1])),
    )?;
    let path = ["Root", "IA0", "IA0 rolled", "IA0 rolled leaf"];
    m.ask(
        step,
        "any-inhibited-not-for-self-issued",
        &path,
        true,
        explicit,
    )
}
