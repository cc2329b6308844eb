//! libFuzzer's way into `skms_wire::fuzzing::query`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_wire::fuzzing::query(data));
