//! A namespace's limits.

use std::collections::BTreeMap;

use skms_engine::limits::{Limits, Rate};
use skms_wire::native::limits::{LimitsView, PutLimitsRequest, RateLimit};

use super::{answer::Reply, call::Call, error::Failure};

fn view(limits: Limits) -> LimitsView {
    LimitsView {
        keys: limits.keys,
        keys_per_keyring: limits.keys_per_keyring,
        keyrings: limits.keyrings,
        tokens_per_principal: limits.tokens_per_principal,
        rate: limits.rate.map(shown),
        rates: limits
            .rates
            .into_iter()
            .map(|(name, rate)| (name, shown(rate)))
            .collect(),
    }
}

fn shown(rate: Rate) -> RateLimit {
    RateLimit {
        per_second: rate.per_second,
        burst: Some(rate.burst),
    }
}

fn rate(said: RateLimit) -> Result<Rate, Failure> {
    Ok(Rate::new(
        said.per_second,
        said.burst.unwrap_or(said.per_second),
    )?)
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_limits(call.caller()?, &call.namespace)
        .await?;
    Reply::json(&view(found))
}

pub async fn write(call: Call) -> Result<Reply, Failure> {
    let request: PutLimitsRequest = call.json()?;
    let limits = Limits {
        keys: request.keys,
        keys_per_keyring: request.keys_per_keyring,
        keyrings: request.keyrings,
        tokens_per_principal: request.tokens_per_principal,
        rate: request.rate.map(rate).transpose()?,
        rates: request
            .rates
            .into_iter()
            .map(|(name, said)| Ok((name, rate(said)?)))
            .collect::<Result<BTreeMap<_, _>, Failure>>()?,
    };
    let set = call
        .engine()
        .write_limits(call.caller()?, &call.namespace, limits)
        .await?;
    Reply::json(&view(set))
}
