//! What was measured, by case and server.

use std::collections::BTreeMap;

use super::load::Figures;
use super::median;

/// The servers, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// SKMS.
    Ours,
    /// The bare server.
    Echo,
    /// The bare server with one AES-256-GCM operation an item.
    Seal,
    /// OpenBao.
    OpenBao,
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ours, Self::Echo, Self::Seal, Self::OpenBao];

    /// The name in the JSON list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Echo => "echo",
            Self::Seal => "seal",
            Self::OpenBao => "openbao",
        }
    }
}

/// All rounds of all cells.
#[derive(Default)]
pub struct Results {
    cells: BTreeMap<(String, Who), Vec<Figures>>,
    syncs: BTreeMap<String, Vec<f64>>,
}

impl Results {
    /// One more round of a cell.
    pub fn add(&mut self, cell: &str, who: Who, figures: Figures) {
        self.cells
            .entry((cell.to_owned(), who))
            .or_default()
            .push(figures);
    }

    /// What a sync took just before a round of a cell, in microseconds.
    pub fn add_sync(&mut self, cell: &str, microseconds: f64) {
        self.syncs
            .entry(cell.to_owned())
            .or_default()
            .push(microseconds);
    }

    /// The median of each figure over a cell's rounds.
    pub fn of(&self, cell: &str, who: Who) -> Option<Figures> {
        let rounds = self.cells.get(&(cell.to_owned(), who))?;
        let middle =
            |figure: fn(&Figures) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        Some(Figures {
            requests: middle(|round| round.requests)?,
            rps: middle(|round| round.rps)?,
            cpu_us: middle(|round| round.cpu_us)?,
            p50_ms: middle(|round| round.p50_ms)?,
            p99_ms: middle(|round| round.p99_ms)?,
            load_cores: middle(|round| round.load_cores)?,
        })
    }

    /// The lowest and the highest rate over a cell's rounds.
    pub fn spread(&self, cell: &str, who: Who) -> Option<(f64, f64)> {
        let rounds = self.cells.get(&(cell.to_owned(), who))?;
        let rates = || rounds.iter().map(|round| round.rps);
        Some((rates().reduce(f64::min)?, rates().reduce(f64::max)?))
    }

    /// The median sync beside a cell, in microseconds.
    pub fn sync(&self, cell: &str) -> Option<f64> {
        median(self.syncs.get(cell)?)
    }

    /// The median sync of the whole run, in microseconds.
    pub fn sync_of_all(&self) -> Option<f64> {
        median(&self.syncs.values().flatten().copied().collect::<Vec<_>>())
    }

    /// The list that `--json` writes: one line for each of the cells.
    pub fn json(&self, cells: &[String]) -> String {
        let figures = |cell: &str, who| match self.of(cell, who) {
            None => "null".to_owned(),
            Some(Figures {
                rps,
                cpu_us,
                p50_ms,
                p99_ms,
                ..
            }) => format!(
                r#"{{"rps": {rps:.1}, "cpu_us": {cpu_us:.2}, "p50_ms": {p50_ms:.3}, "p99_ms": {p99_ms:.3}}}"#
            ),
        };
        let lines: Vec<String> = cells
            .iter()
            .map(|cell| {
                let sync = self.sync(cell).unwrap_or_default();
                let servers: Vec<String> = Who::ALL
                    .iter()
                    .map(|who| format!(r#""{}": {}"#, who.name(), figures(cell, *who)))
                    .collect();
                format!(
                    r#"{{"case": "{cell}", "sync_us": {sync:.1}, {}}}"#,
                    servers.join(", ")
                )
            })
            .collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(rps: f64) -> Figures {
        Figures {
            requests: 40.0,
            rps,
            cpu_us: 20.0,
            p50_ms: 1.0,
            p99_ms: 2.0,
            load_cores: 0.5,
        }
    }

    #[test]
    fn medians_are_taken_and_strays_do_not_move_them() {
        let mut results = Results::default();
        for rps in [10.0, 1000.0, 12.0] {
            results.add("a", Who::Ours, round(rps));
        }
        assert_eq!(results.of("a", Who::Ours).unwrap().rps, 12.0);
        assert_eq!(results.spread("a", Who::Ours), Some((10.0, 1000.0)));
        assert_eq!(results.of("a", Who::Echo), None);
    }

    #[test]
    fn the_list_has_the_agreed_form() {
        let mut results = Results::default();
        results.add("a-tls", Who::Ours, round(10.0));
        results.add("a-tls", Who::Seal, round(11.0));
        results.add_sync("a-tls", 170.04);
        assert_eq!(
            results.json(&["a-tls".to_owned()]),
            "[\n{\"case\": \"a-tls\", \"sync_us\": 170.0, \
             \"ours\": {\"rps\": 10.0, \"cpu_us\": 20.00, \"p50_ms\": 1.000, \"p99_ms\": 2.000}, \
             \"echo\": null, \
             \"seal\": {\"rps\": 11.0, \"cpu_us\": 20.00, \"p50_ms\": 1.000, \"p99_ms\": 2.000}, \
             \"openbao\": null}\n]\n"
        );
    }
}
