//! Automatic rules, verdicts, and suspended principals.

use skms_wire::native::rules::{
    PutRuleRequest, ReleaseRuleRequest, ReleasedRule, RuleActView, RuleTrial, RuleView,
    SubmitVerdictRequest, SuspendPrincipalRequest, SuspendedPrincipalView, TestRuleRequest,
    VerdictView, WrittenRule,
};

calls! {
    /// A page of the rules.
    page rules ["rule-list"] () => RuleView;
    /// Shows a rule.
    json rule ["rule-read"] (rule) => RuleView;
    /// Writes a rule.
    json put_rule ["rule-write"] (rule) send PutRuleRequest => WrittenRule;
    /// Deletes a rule.
    nothing delete_rule ["rule-delete"] (rule);
    /// Says what a rule would do.
    json test_rule ["rule-test"] () send TestRuleRequest => RuleTrial;
    /// Lets go what a rule holds.
    json release_rule ["rule-release"] (rule) send ReleaseRuleRequest => ReleasedRule;
    /// A page of what rules did, newest first.
    page rule_acts ["rule-act-list"] () => RuleActView;
    /// Undoes what a rule did.
    json undo_rule_act ["rule-act-undo"] (act) => RuleActView;
    /// Hands in a verdict.
    json submit_verdict ["verdict-submit"] () send SubmitVerdictRequest => VerdictView;
    /// Suspends a principal.
    json suspend_principal ["principal-suspend"] (principal) send SuspendPrincipalRequest => SuspendedPrincipalView;
    /// Resumes a principal.
    nothing resume_principal ["principal-resume"] (principal);
    /// A page of the suspended principals.
    page suspended_principals ["principal-suspended-list"] () => SuspendedPrincipalView;
}
