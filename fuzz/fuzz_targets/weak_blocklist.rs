//! libFuzzer's way into `skms_weak::fuzzing::blocklist`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_weak::fuzzing::blocklist(data));
