//! libFuzzer's way into `skms_store::fuzzing::journal_frame`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_store::fuzzing::journal_frame(data));
