//! A key's rules, as keys and keyrings store them.

use serde::{Deserialize, Serialize};
use skms_keys::{Legacy, Rules, UnixSeconds};

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
    rotate_after_uses: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    destroy_window_seconds: u64,
    #[serde(default)]
    mixed_uses: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    weak_material: bool,
}

impl From<&Rules> for RulesRecord {
    fn from(rules: &Rules) -> Self {
        Self {
            originator_usage_period_seconds: rules.originator_usage_period_seconds,
            recipient_usage_period_seconds: rules.recipient_usage_period_seconds,
            rotate_after_seconds: rules.rotate_after_seconds,
            rotate_after_uses: rules.rotate_after_uses,
            expires_at: rules.expires_at.map(|at| at.0),
            destroy_window_seconds: rules.destroy_window_seconds,
            mixed_uses: rules.legacy.mixed_uses,
            weak_material: rules.legacy.weak_material,
        }
    }
}

impl From<RulesRecord> for Rules {
    fn from(record: RulesRecord) -> Self {
        Self {
            originator_usage_period_seconds: record.originator_usage_period_seconds,
            recipient_usage_period_seconds: record.recipient_usage_period_seconds,
            rotate_after_seconds: record.rotate_after_seconds,
            rotate_after_uses: record.rotate_after_uses,
            expires_at: record.expires_at.map(UnixSeconds),
            destroy_window_seconds: record.destroy_window_seconds,
            legacy: Legacy {
                mixed_uses: record.mixed_uses,
                weak_material: record.weak_material,
            },
        }
    }
}
