//! A key's rules, as keys and keyrings store them.

use serde::{Deserialize, Serialize};
use skms_keys::{Legacy, Occasion, Rules, Schedule, UnixSeconds};

use crate::error::{Error, Result};

/// The stored form of [`Rules`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RulesRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    originator_usage_period_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient_usage_period_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_after_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_at: Option<ScheduleRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_at_age_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_after_uses: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_after_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_with: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rotate_on: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_spread_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warn_before_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warn_at_percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroy_old_after_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    destroy_window_seconds: u64,
    #[serde(default)]
    mixed_uses: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    weak_material: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScheduleRecord {
    cron: String,
    zone: String,
}

impl From<&Rules> for RulesRecord {
    fn from(rules: &Rules) -> Self {
        Self {
            originator_usage_period_seconds: rules.originator_usage_period_seconds,
            recipient_usage_period_seconds: rules.recipient_usage_period_seconds,
            rotate_after_seconds: rules.rotate_after_seconds,
            rotate_at: rules.rotate_at.map(|schedule| ScheduleRecord {
                cron: schedule.cron.to_string(),
                zone: schedule.zone.name().to_owned(),
            }),
            rotate_at_age_seconds: rules.rotate_at_age_seconds,
            rotate_after_uses: rules.rotate_after_uses,
            rotate_after_bytes: rules.rotate_after_bytes,
            rotate_with: rules.rotate_with.map(|key| key.to_string()),
            rotate_on: rules.rotate_on.iter().map(|one| one.to_string()).collect(),
            rotate_spread_seconds: rules.rotate_spread_seconds,
            warn_before_seconds: rules.warn_before_seconds,
            warn_at_percent: rules.warn_at_percent,
            destroy_old_after_seconds: rules.destroy_old_after_seconds,
            expires_at: rules.expires_at.map(|at| at.0),
            destroy_window_seconds: rules.destroy_window_seconds,
            mixed_uses: rules.legacy.mixed_uses,
            weak_material: rules.legacy.weak_material,
        }
    }
}

impl RulesRecord {
    pub(crate) fn into_domain(self) -> Result<Rules> {
        let damaged = |error: skms_keys::Error| Error::Record {
            kind: "rules",
            reason: error.to_string(),
        };
        let schedule = |record: ScheduleRecord| {
            Schedule::read(&record.cron, Some(&record.zone)).map_err(damaged)
        };
        Ok(Rules {
            originator_usage_period_seconds: self.originator_usage_period_seconds,
            recipient_usage_period_seconds: self.recipient_usage_period_seconds,
            rotate_after_seconds: self.rotate_after_seconds,
            rotate_at: self.rotate_at.map(schedule).transpose()?,
            rotate_at_age_seconds: self.rotate_at_age_seconds,
            rotate_after_uses: self.rotate_after_uses,
            rotate_after_bytes: self.rotate_after_bytes,
            rotate_with: self
                .rotate_with
                .map(|key| key.parse())
                .transpose()
                .map_err(damaged)?,
            rotate_on: (self.rotate_on.iter())
                .map(|one| one.parse::<Occasion>())
                .collect::<std::result::Result<_, _>>()
                .map_err(damaged)?,
            rotate_spread_seconds: self.rotate_spread_seconds,
            warn_before_seconds: self.warn_before_seconds,
            warn_at_percent: self.warn_at_percent,
            destroy_old_after_seconds: self.destroy_old_after_seconds,
            expires_at: self.expires_at.map(UnixSeconds),
            destroy_window_seconds: self.destroy_window_seconds,
            legacy: Legacy {
                mixed_uses: self.mixed_uses,
                weak_material: self.weak_material,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_back_and_older_records_have_none_of_the_newer_ones() {
        let rules = Rules {
            rotate_after_seconds: Some(1_000),
            rotate_at: Some(Schedule::read("@monthly", Some("Europe/Berlin")).unwrap()),
            rotate_at_age_seconds: Some(2_000),
            rotate_after_bytes: Some(3),
            rotate_on: [Occasion::OwnerLeft].into_iter().collect(),
            rotate_spread_seconds: Some(4),
            ..Rules::default()
        };
        let stored = serde_json::to_string(&RulesRecord::from(&rules)).unwrap();
        let read: RulesRecord = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.into_domain().unwrap(), rules);
        let older = r#"{"rotate_after_uses":7,"destroy_window_seconds":60,"mixed_uses":false}"#;
        let read: RulesRecord = serde_json::from_str(older).unwrap();
        let read = read.into_domain().unwrap();
        assert_eq!(read.rotate_after_uses, Some(7));
        assert!(read.rotate_at.is_none() && read.rotate_on.is_empty());
        let odd = stored.replace("Berlin", "Atlantis");
        let read: RulesRecord = serde_json::from_str(&odd).unwrap();
        assert!(read.into_domain().is_err());
    }
}
