//! libFuzzer's way into `skms_store::fuzzing::backup_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_store::fuzzing::backup_file(data));
