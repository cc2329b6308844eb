//! What `cargo xtask bench` measures SKMS against, and what it loads it with.
//!
//! What it is: the bare servers that set the scale ([`echo`]), the
//! cryptographic library's own rates ([`rates`], [`chunks`]), and a mixed load that goes on
//! ([`soak`]).
//!
//! What it is not: part of the product. Nothing here is shipped, and it shares
//! no code with the server, so that a mistake there cannot hide here.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod certificate;
mod chunks;
mod echo;
mod rates;
mod soak;

use std::process::ExitCode;

const HELP: &str = "\
skms-bench <command>

  echo --listen ADDR [--tls FOLDER] [--seal] [--workers N]
        answer with JSON of the product's shapes and do nothing else; with
        --seal, one AES-256-GCM operation an item
  certificate FOLDER [NAME]
        make an authority and a server certificate (ca.pem, cert.pem, key.pem)
  soak --address URL --ca-file FILE --token-file FILE [--seconds N] [--workers N]
        make, use and remove keys and tokens all the time
  rates [--seconds N]
        how often the cryptographic library does each thing, on one thread
  chunks [--seconds N]
        how many bytes of a file it encrypts a second, on one thread
";

/// What every command returns: nothing, or the reason in words.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("skms-bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    match command {
        "echo" => echo::run(&echo::Options::parse(rest)?),
        "certificate" => certificate::write(rest),
        "rates" => rates::run(rest),
        "chunks" => chunks::run(rest),
        "soak" => soak::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("no such command\n\n{HELP}").into()),
    }
}
