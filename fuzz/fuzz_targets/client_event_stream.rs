//! libFuzzer's way into `skms_client::fuzzing::event_stream`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_client::fuzzing::event_stream(data));
