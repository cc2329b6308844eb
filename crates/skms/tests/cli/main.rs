//! The command line, through the real binary against a real server: what it
//! does, what it refuses, its exit codes, and what it never shows.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod acme;
mod agreement;
mod approvals;
mod bench;
mod ca;
mod ceremony;
mod cert;
mod demo;
mod est;
mod examples;
mod exchange;
mod file;
mod groups;
mod incidents;
mod jobs;
mod keys;
mod message;
mod mutual;
mod notebook;
mod notify;
mod operations;
mod plain;
mod postgres;
mod python;
mod reencrypt;
mod rotation;
mod rules;
mod ssh;
mod support;
mod weak;
mod withdrawals;
