//! Keyrings.

use skms_keys::{Defaults, Keyring, Rules};
use skms_wire::native::keyrings::{CreateKeyringRequest, KeyDefaults, KeyringView};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, moment},
    error::Failure,
    paging,
};

fn view(ring: &Keyring, namespace: &str) -> KeyringView {
    let Defaults {
        algorithm,
        uses,
        rules,
        exportable,
    } = ring.defaults;
    KeyringView {
        id: ring.id.to_string(),
        namespace: namespace.to_owned(),
        name: ring.name.as_str().to_owned(),
        defaults: KeyDefaults {
            algorithm: Some(algorithm.name().to_owned()),
            uses: uses.map(convert::use_words),
            exportable: Some(exportable),
            rules: Some(convert::rules_view(&rules)),
        },
        created_at: moment(ring.created_at),
    }
}

fn defaults(said: Option<KeyDefaults>) -> Result<Defaults, Failure> {
    let base = Defaults::default();
    let Some(said) = said else { return Ok(base) };
    let rules = match &said.rules {
        None => base.rules,
        Some(rules) if rules.rotate_with.is_some() => {
            return Err(Failure::invalid(
                "a keyring rotates with no key: its keys do",
            ));
        }
        Some(rules) => match convert::rules(rules, Rules::default(), None)? {
            (rules, None) => rules,
            (_, Some(_)) => {
                return Err(Failure::invalid(
                    "a keyring has no activate_at: its keys do",
                ));
            }
        },
    };
    Ok(Defaults {
        algorithm: match &said.algorithm {
            Some(name) => convert::algorithm(name)?,
            None => base.algorithm,
        },
        uses: said.uses.as_deref().map(convert::uses),
        rules,
        exportable: said.exportable.unwrap_or(base.exportable),
    })
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_keyrings(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|ring| view(ring, &call.namespace)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &KeyringView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateKeyringRequest = call.json()?;
    let defaults = defaults(request.defaults)?;
    let made = call
        .engine()
        .create_keyring(call.caller()?, &call.namespace, &request.name, defaults)
        .await?;
    Reply::json(&view(&made, &call.namespace))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_keyring(call.caller()?, &call.namespace, call.param("keyring"))
        .await?;
    Reply::json(&view(&found, &call.namespace))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_keyring(call.caller()?, &call.namespace, call.param("keyring"))
        .await?;
    Ok(Reply::Empty)
}
