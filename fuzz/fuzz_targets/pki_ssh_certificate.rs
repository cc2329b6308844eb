//! libFuzzer's way into `skms_pki::fuzzing::ssh_certificate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_pki::fuzzing::ssh_certificate(data));
