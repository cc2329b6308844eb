//! Opening authorities to EST.

use skms_crypto::Algorithm;
use skms_engine::acts::est::Opening;
use skms_wire::native::est::{EnableEstRequest, EstView};

use super::{answer::Reply, call::Call, convert, error::Failure};
use crate::faces::est::label;

fn view(call: &Call, opening: Option<&Opening>) -> EstView {
    let authority = call.param("authority");
    let profiles = opening.map_or(&[][..], |one| &one.profiles);
    EstView {
        enabled: opening.is_some(),
        profiles: profiles.iter().map(|one| one.name().to_owned()).collect(),
        renewal_by_certificate: opening.is_some_and(|one| one.renewal_by_certificate),
        key_algorithm: opening.map(|one| one.key_algorithm.to_string()),
        labels: profiles
            .iter()
            .map(|one| label(&call.namespace, authority, one.name()))
            .collect(),
    }
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let place = (&*call.namespace, call.param("authority"));
    let found = call.engine().est_read(call.caller()?, place).await?;
    Reply::json(&view(&call, found.as_ref()))
}

pub async fn enable(call: Call) -> Result<Reply, Failure> {
    let request: EnableEstRequest = call.json()?;
    let algorithm = request.key_algorithm.as_deref();
    let opening = Opening {
        profiles: request
            .profiles
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        renewal_by_certificate: request.renewal_by_certificate,
        key_algorithm: algorithm.map_or(Ok(Algorithm::EcP256), convert::algorithm)?,
    };
    let place = (&*call.namespace, call.param("authority"));
    let opened = call
        .engine()
        .est_open(call.caller()?, place, Some(opening))
        .await?;
    Reply::json(&view(&call, opened.as_ref()))
}

pub async fn disable(call: Call) -> Result<Reply, Failure> {
    let place = (&*call.namespace, call.param("authority"));
    call.engine().est_open(call.caller()?, place, None).await?;
    Ok(Reply::Empty)
}
