//! How the server is, and what it offers.

use skms_crypto::{Algorithm, Family};
use skms_wire::native::health::{AlgorithmView, Algorithms, Health, ServerStatus};

use super::{
    App,
    answer::Reply,
    call::Call,
    convert::use_words,
    error::Failure,
    metrics::{Held, Now},
    openapi,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn status_word(app: &App) -> &'static str {
    if *app.stopping.borrow() {
        "stopping"
    } else if app.engine.is_sealed() {
        "sealed"
    } else {
        "ok"
    }
}

pub async fn health(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    Reply::json(&Health {
        status: status_word(&call.app).to_owned(),
        version: VERSION.to_owned(),
        // A server does not start without a store.
        initialized: true,
        sealed: call.app.engine.is_sealed(),
    })
}

pub async fn openapi(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    Ok(Reply::Document(
        "application/json",
        openapi::text().to_owned(),
    ))
}

pub async fn status(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let app = &call.app;
    let storage = call.engine().storage_status(call.caller()?).await?;
    let current = storage.terms.iter().find(|term| term.current);
    let mut notes = app.memory.notes.clone();
    notes.extend(storage.notes.iter().cloned());
    notes.extend(skms_crypto::fips::notes().map(str::to_owned));
    notes.extend(
        app.engine
            .trouble()
            .map(|trouble| format!("background work failed last: {trouble}")),
    );
    Reply::json(&ServerStatus {
        status: status_word(app).to_owned(),
        version: VERSION.to_owned(),
        uptime_seconds: app.started.elapsed().as_secs(),
        memory_locked: app.memory.mlockall,
        key_slab_locked: storage.keys_locked,
        core_dumps_disabled: app.memory.core_disabled,
        not_dumpable: app.memory.not_dumpable,
        notes,
        weakest_seal: Some(storage.strength.clone()),
        storage_key_term: current.map(|term| term.term),
        records_remaining: Some(
            storage
                .terms
                .iter()
                .filter(|term| !term.current)
                .map(|term| term.records)
                .sum(),
        ),
        journal_sequence: app.engine.newest_event()?,
    })
}

pub async fn metrics(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    call.engine().authorize_metrics(call.caller()?).await?;
    let engine = call.engine();
    let held = Held {
        notifications: engine.notification_counts(),
        keys: engine.keys_in_memory(),
        first_authority_ends: engine.first_authority_ends(),
        stock: engine
            .stock_ready()
            .into_iter()
            .map(|(algorithm, ready)| (algorithm.name(), ready))
            .collect(),
    };
    let now = Now {
        engine: engine.load(),
        body_bytes: call.app.bodies.taken(),
        event_streams: engine.followers(),
    };
    let text = call.app.metrics.text(engine.is_sealed(), &held, &now);
    Ok(Reply::Document("text/plain; version=0.0.4", text))
}

pub async fn algorithms(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let items = Algorithm::all()
        .iter()
        .filter(|algorithm| algorithm.is_offered())
        .map(|algorithm| {
            let row = algorithm.row();
            AlgorithmView {
                name: row.name.to_owned(),
                family: family(row.family).to_owned(),
                strength_bits: row.strength_bits,
                uses: use_words(algorithm.offered_uses()),
                fips: row.fips,
                fips_module: row.fips_module,
                post_quantum: row.post_quantum,
            }
        })
        .collect();
    Reply::json(&Algorithms { items })
}

const fn family(family: Family) -> &'static str {
    match family {
        Family::Aead => "aead",
        Family::KeyWrap => "key-wrap",
        Family::Mac => "mac",
        Family::Kdf => "kdf",
        Family::Rsa => "rsa",
        Family::Ec => "ec",
        Family::EdDsa => "eddsa",
        Family::Montgomery => "montgomery",
        Family::FiniteField => "finite-field",
        Family::Kem => "kem",
        Family::MlDsa => "ml-dsa",
        Family::SlhDsa => "slh-dsa",
        _ => "other",
    }
}
