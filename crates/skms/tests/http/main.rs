//! The native face, through the real binary: what it answers, what it
//! refuses, what it withstands, and what it never lets out.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod approvals;
mod backup;
mod bound;
mod certificates;
mod certified;
mod crash;
mod describe;
mod dev;
mod directory;
mod effect;
mod exchange;
mod external;
mod full_disk;
mod groups;
mod house;
mod incidents;
mod jobs;
mod linear;
mod middle;
mod mutual;
mod notifications;
mod once;
mod openapi;
mod rest;
mod rules;
mod secrets;
mod shed;
mod slow;
mod ssh;
mod stamping;
mod stream;
mod sweep;
mod tls;
mod trusts;
mod verified;
mod weak;
mod wire;
mod withdrawals;
