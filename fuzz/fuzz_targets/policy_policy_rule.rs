//! libFuzzer's way into `skms_policy::fuzzing::policy_rule`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_policy::fuzzing::policy_rule(data));
