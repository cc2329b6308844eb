//! `skms algorithms`.

use clap::Args;

use super::Global;
use super::error::Result;
use super::output;

/// List the algorithms on offer.
#[derive(Debug, Args)]
pub struct Algorithms {}

impl Algorithms {
    /// Lists them.
    pub async fn run(self, global: &Global) -> Result<()> {
        let answer = global.client()?.algorithms().await?;
        global.show(&answer, |answer| {
            let yes = |value: bool| if value { "yes" } else { "-" }.to_owned();
            let rows: Vec<_> = answer
                .items
                .iter()
                .map(|one| {
                    let uses: Vec<_> = one.uses.iter().map(|one| one.word()).collect();
                    vec![
                        one.name.clone(),
                        one.strength_bits.to_string(),
                        yes(one.post_quantum),
                        yes(one.fips),
                        yes(one.fips_module),
                        uses.join(","),
                    ]
                })
                .collect();
            output::table(
                &["NAME", "BITS", "POST-QUANTUM", "FIPS", "MODULE", "USES"],
                &rows,
            )
        })
    }
}
