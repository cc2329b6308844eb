//! `cargo xtask <chore>`: see `cargo xtask help`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use xtask::{
    Result, Told, bench, checks, fips, fuzz, picture, profile, simulate, soak, test_run, tidy,
};

const HELP: &str = "\
cargo xtask <chore>

  test [--no-install] [ARGS]  all tests, after installing what they need; ARGS go to
                              the test runner (and leave the doc tests out)
  ci                          everything that guards a change: fmt, clippy, deny, tidy, test
  tidy                        the rules of the house that the compiler does not see
  deny                        licences, banned crates and sources of the dependencies
  fuzz [TARGET] [--seconds N] [--asan] [--list]
                              libFuzzer on one parser or on all, N seconds each (60)
  crash [--rounds N]          kills a server under write load N times (200)
  bench [--quick] [--json FILE] [--write] [--rounds N] [--seconds N] [--only CASE,PART,…]
                              measures the server beside bare ones and OpenBao, and
                              writes docs/performance.md (with --quick only if told to)
  idle [COUNT]                what COUNT idle TLS connections cost the server (10000)
  profile [--write] [--no-build]
                              counts where the time of one encryption goes (callgrind);
                              --write puts the table into docs/performance.md
  soak [--seconds N] [--no-build]
                              loads a server with everything at once for N seconds (600)
                              and fails if its memory or its descriptors grow
  simulate [--seeds N] [--from N] | --seed N
                              work, faults and crashes over a simulated disk (10,000 seeds);
                              --seed replays one and prints every step
  picture                     runs the demo and draws its output as docs/demo.svg
  fips [--build-only]         tests the crypto room on the FIPS 140-3 module that has the
                              certificate, builds the server on it and tries that out
  setup                       only installs what the tests need
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match arguments.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    match run(chore, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            if !reason.is::<Told>() {
                eprintln!("xtask {chore}: {reason}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &str, rest: &[String]) -> Result {
    match chore {
        "test" => test_run::test(rest),
        "ci" => checks::ci(),
        "tidy" => tidy::run(),
        "deny" => checks::deny(),
        "fuzz" => fuzz::run(rest),
        "crash" => test_run::crash(rest),
        "bench" => bench::bench(rest),
        "idle" => checks::idle(rest),
        "profile" => profile::run(rest),
        "soak" => soak::run(rest),
        "simulate" => simulate::run(rest),
        "picture" => picture::draw(),
        "fips" => fips::build(rest),
        "setup" => test_run::set_up().map(|_| ()),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("no such chore\n\n{HELP}").into()),
    }
}
