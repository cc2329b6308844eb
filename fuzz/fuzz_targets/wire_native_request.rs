//! libFuzzer's way into `skms_wire::fuzzing::native_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_wire::fuzzing::native_request(data));
