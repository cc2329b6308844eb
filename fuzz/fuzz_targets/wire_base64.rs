//! libFuzzer's way into `skms_wire::fuzzing::base64`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_wire::fuzzing::base64(data));
