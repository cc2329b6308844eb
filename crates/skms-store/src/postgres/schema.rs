//! The tables: their versions, how one becomes the next, and how rows read.
//!
//! They lie in the first schema of the connection's search path. A schema
//! that is newer than this program is refused and left alone; an older one is
//! brought up to date, step by step in one transaction, by the first server
//! that starts with it.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::explain;
use crate::error::{Error, Result};
use crate::store::{Kind, Meta, RecordId, Row};

/// What leads from one version to the next; the first from nothing.
const STEPS: &[&str] = &[
    "
CREATE TABLE skms_record (
    kind     smallint NOT NULL,
    id       bytea    NOT NULL CHECK (octet_length(id) = 16),
    revision bigint   NOT NULL CHECK (revision >= 0),
    entry    bytea    CHECK (octet_length(entry) = 32),
    scope    bytea    CHECK (octet_length(scope) = 32),
    sealed   bytea    NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 85);
ALTER TABLE skms_record ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX skms_record_entry ON skms_record (kind, entry) WHERE entry IS NOT NULL;
CREATE INDEX skms_record_scope ON skms_record (kind, scope, id) WHERE scope IS NOT NULL;
CREATE TABLE skms_meta (
    name     text   NOT NULL PRIMARY KEY,
    revision bigint NOT NULL CHECK (revision >= 0),
    bytes    bytea  NOT NULL
);
CREATE TABLE skms_state (
    one      boolean  NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    version  integer  NOT NULL,
    database bytea    NOT NULL,
    sequence bigint   NOT NULL,
    writer   bytea    NOT NULL
);
INSERT INTO skms_state (version, database, sequence, writer)
    VALUES (1, uuid_send(gen_random_uuid()), 0, '');
",
    // Heads are written with every group: their dead rows are to go early.
    "
ALTER TABLE skms_record SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE skms_state ADD COLUMN opened timestamptz NOT NULL DEFAULT now();
",
];

/// The newest schema this program reads, and the one it writes.
pub(super) fn newest() -> u64 {
    u64::try_from(STEPS.len()).unwrap_or(u64::MAX)
}

/// The columns of a row, in the order [`row`] reads them.
const COLUMNS: &str = "r.kind, r.id, r.revision, r.entry, r.scope, r.sealed";

/// The version found; `None` where there are no tables of ours.
async fn version(client: &Client) -> Result<Option<u64>> {
    let found = client
        .query_one(
            "SELECT current_schema() IS NOT NULL, to_regclass('skms_state') IS NOT NULL",
            &[],
        )
        .await
        .map_err(explain)?;
    if !found.try_get::<_, bool>(0).map_err(explain)? {
        return Err(Error::Invalid(
            "the database has no schema of its search path: create it, or name another with options=-csearch_path%3Dskms",
        ));
    }
    if !found.try_get::<_, bool>(1).map_err(explain)? {
        return Ok(None);
    }
    let row = client
        .query_opt("SELECT version FROM skms_state", &[])
        .await
        .map_err(explain)?
        .ok_or(Error::Malformed("database: its state is missing"))?;
    let version: i32 = row.try_get(0).map_err(explain)?;
    u64::try_from(version)
        .map(Some)
        .map_err(|_| Error::Malformed("database: unknown schema version"))
}

/// Creates the tables, or brings them up to date. The caller has the lock.
pub(super) async fn prepare(client: &Client) -> Result<()> {
    let found = version(client).await?.unwrap_or(0);
    if found > newest() {
        return Err(Error::Newer {
            what: "the database",
            found,
            supported: newest(),
        });
    }
    let steps = usize::try_from(found)
        .ok()
        .and_then(|done| STEPS.get(done..));
    let Some(steps) = steps.filter(|steps| !steps.is_empty()) else {
        return Ok(());
    };
    let sql = format!(
        "BEGIN; {} UPDATE skms_state SET version = {}; COMMIT;",
        steps.concat(),
        newest()
    );
    match client.batch_execute(&sql).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // The connection is given up by the caller anyway.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(explain(error))
        }
    }
}

/// What a reading connection asks with.
pub(super) struct Reads {
    pub(super) get: tokio_postgres::Statement,
    pub(super) get_each: tokio_postgres::Statement,
    pub(super) next_each: tokio_postgres::Statement,
    pub(super) find: tokio_postgres::Statement,
    pub(super) scan: tokio_postgres::Statement,
    pub(super) scan_scope: tokio_postgres::Statement,
    pub(super) walk: tokio_postgres::Statement,
    pub(super) meta: tokio_postgres::Statement,
}

impl Reads {
    pub(super) async fn prepare(client: &Client) -> Result<Self> {
        let select =
            |condition: &str| format!("SELECT {COLUMNS} FROM skms_record r WHERE {condition}");
        let (get, get_each, find, scan, scan_scope, walk) = (
            select("r.kind = $1 AND r.id = $2"),
            select("r.kind = $1 AND r.id = ANY ($2::bytea[])"),
            select("r.kind = $1 AND r.entry = $2"),
            select("r.kind = $1 AND r.id > $2 ORDER BY r.id LIMIT $3"),
            select("r.kind = $1 AND r.scope = $2 AND r.id > $3 ORDER BY r.id LIMIT $4"),
            select("(r.kind, r.id) > ($1, $2) ORDER BY r.kind, r.id LIMIT $3"),
        );
        let prepared = tokio::try_join!(
            client.prepare(&get),
            client.prepare(&find),
            client.prepare(&scan),
            client.prepare(&scan_scope),
            client.prepare(&walk),
            client.prepare("SELECT revision, bytes FROM skms_meta WHERE name = $1"),
            client.prepare(&get_each),
            client.prepare(
                "SELECT n.id FROM unnest($3::bytea[]) WITH ORDINALITY AS w (id, place)
                   LEFT JOIN LATERAL (SELECT r.id FROM skms_record r
                     WHERE r.kind = $1 AND r.scope = $2 AND r.id > w.id
                     ORDER BY r.id LIMIT 1) AS n ON true
                   ORDER BY w.place"
            ),
        );
        let (get, find, scan, scan_scope, walk, meta, get_each, next_each) =
            prepared.map_err(explain)?;
        Ok(Self {
            get,
            get_each,
            next_each,
            find,
            scan,
            scan_scope,
            walk,
            meta,
        })
    }
}

/// What the writing connection works with. Each takes whole columns, so that
/// any number of rows is one statement.
pub(super) struct Writes {
    pub(super) load: tokio_postgres::Statement,
    pub(super) metas: tokio_postgres::Statement,
    pub(super) sequence: tokio_postgres::Statement,
    pub(super) delete: tokio_postgres::Statement,
    pub(super) release: tokio_postgres::Statement,
    pub(super) update: tokio_postgres::Statement,
    pub(super) insert: tokio_postgres::Statement,
    pub(super) put_meta: tokio_postgres::Statement,
    pub(super) advance: tokio_postgres::Statement,
}

impl Writes {
    pub(super) async fn prepare(client: &Client) -> Result<Self> {
        let load = format!(
            "SELECT {COLUMNS} FROM unnest($1::int2[], $2::bytea[]) AS w (kind, id)
               JOIN skms_record r ON r.kind = w.kind AND r.id = w.id
             UNION ALL
             SELECT {COLUMNS} FROM unnest($3::int2[], $4::bytea[]) AS w (kind, entry)
               JOIN skms_record r ON r.kind = w.kind AND r.entry = w.entry"
        );
        let metas = [Type::TEXT_ARRAY];
        let prepared = tokio::try_join!(
            client.prepare(&load),
            client.prepare_typed(
                "SELECT name, revision, bytes FROM skms_meta WHERE name = ANY ($1)",
                &metas
            ),
            client.prepare("SELECT sequence FROM skms_state"),
            client.prepare(
                "DELETE FROM skms_record r
                 USING unnest($1::int2[], $2::bytea[], $3::int8[]) AS w (kind, id, old)
                 WHERE r.kind = w.kind AND r.id = w.id AND r.revision = w.old"
            ),
            client.prepare(
                "UPDATE skms_record r SET entry = NULL
                 FROM unnest($1::int2[], $2::bytea[]) AS w (kind, id)
                 WHERE r.kind = w.kind AND r.id = w.id"
            ),
            client.prepare(
                "UPDATE skms_record r SET revision = w.revision, entry = w.entry,
                   scope = w.scope, sealed = w.sealed
                 FROM unnest($1::int2[], $2::bytea[], $3::int8[], $4::int8[], $5::bytea[],
                   $6::bytea[], $7::bytea[]) AS w (kind, id, old, revision, entry, scope, sealed)
                 WHERE r.kind = w.kind AND r.id = w.id AND r.revision = w.old"
            ),
            client.prepare(
                "INSERT INTO skms_record (kind, id, revision, entry, scope, sealed)
                 SELECT * FROM unnest($1::int2[], $2::bytea[], $3::int8[], $4::bytea[],
                   $5::bytea[], $6::bytea[])"
            ),
            client.prepare(
                "INSERT INTO skms_meta (name, revision, bytes) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE
                 SET revision = excluded.revision, bytes = excluded.bytes"
            ),
            client.prepare("UPDATE skms_state SET sequence = $1"),
        );
        let (load, metas, sequence, delete, release, update, insert, put_meta, advance) =
            prepared.map_err(explain)?;
        Ok(Self {
            load,
            metas,
            sequence,
            delete,
            release,
            update,
            insert,
            put_meta,
            advance,
        })
    }
}

/// The number of a kind as a column holds it.
pub(super) fn kind(kind: Kind) -> i16 {
    i16::from(kind.number())
}

fn array<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::Malformed(what))
}

fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::Malformed("database: a negative revision"))
}

/// Reads [`COLUMNS`].
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row> {
    let number: i16 = row.try_get(0).map_err(explain)?;
    let entry: Option<&[u8]> = row.try_get(3).map_err(explain)?;
    let scope: Option<&[u8]> = row.try_get(4).map_err(explain)?;
    Ok(Row {
        kind: u8::try_from(number)
            .ok()
            .map(Kind::from_number)
            .ok_or(Error::Malformed("record kind"))??,
        id: RecordId(array(
            row.try_get::<_, &[u8]>(1).map_err(explain)?,
            "record id",
        )?),
        revision: unsigned(row.try_get(2).map_err(explain)?)?,
        index: entry.map(|bytes| array(bytes, "index entry")).transpose()?,
        scope: scope.map(|bytes| array(bytes, "scope")).transpose()?,
        sealed: row.try_get(5).map_err(explain)?,
    })
}

/// Reads an id that may be none.
pub(super) fn id(row: &tokio_postgres::Row) -> Result<Option<RecordId>> {
    let found: Option<&[u8]> = row.try_get(0).map_err(explain)?;
    let id = found.map(|bytes| array(bytes, "record id")).transpose()?;
    Ok(id.map(RecordId))
}

/// Reads a plain value's revision and bytes, beginning at this column.
pub(super) fn meta(row: &tokio_postgres::Row, first: usize) -> Result<Meta> {
    Ok(Meta {
        revision: unsigned(row.try_get(first).map_err(explain)?)?,
        bytes: row.try_get(first + 1).map_err(explain)?,
    })
}
