//! libFuzzer's way into `skms_pki::fuzzing::ssh_krl`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_pki::fuzzing::ssh_krl(data));
