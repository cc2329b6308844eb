//! libFuzzer's way into `skms_wire::fuzzing::smtp_reply`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_wire::fuzzing::smtp_reply(data));
