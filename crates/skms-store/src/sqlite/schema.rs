//! The database file: its schema, its pragmas, and how rows read from it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, params};

use crate::error::{Error, Result};
use crate::store::{Kind, Meta, RecordId, Row};

/// "SKMS" in the file's header: `file` and this program know it by it.
pub(super) const APPLICATION_ID: i64 = 0x534b_4d53;

/// The newest schema this program reads, and the one it writes.
pub(super) const VERSION: i64 = 1;

/// How long a connection waits for another of this process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
CREATE TABLE record (
    kind     INTEGER NOT NULL,
    id       BLOB    NOT NULL,
    revision INTEGER NOT NULL,
    entry    BLOB,
    scope    BLOB,
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX record_entry ON record (kind, entry) WHERE entry IS NOT NULL;
CREATE INDEX record_scope ON record (kind, scope, id) WHERE scope IS NOT NULL;
CREATE TABLE meta (
    name     TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    bytes    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The columns of a row, in the order [`row`] reads them.
pub(super) const COLUMNS: &str = "kind, id, revision, entry, scope, sealed";

pub(super) fn backend(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        _ => Error::Backend(Box::new(error)),
    }
}

/// Whether the disk itself failed, after which its contents are uncertain.
pub(super) fn is_disk_failure(error: &Error) -> bool {
    let Error::Backend(source) = error else {
        return false;
    };
    source
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code)
        .is_some_and(|code| code == ErrorCode::SystemIoFailure)
}

/// Opens the one connection that writes, creating the schema in a new file.
pub(super) fn open_writer(path: &Path, vfs: Option<&str>) -> Result<Connection> {
    let connection = open(
        path,
        vfs,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    check(&connection)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(backend)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::Invalid(
            "this file system cannot hold the database: no write-ahead log",
        ));
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA secure_delete = ON;
             PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4096;",
        )
        .map_err(backend)?;
    create(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(
        path,
        None,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection
        .execute_batch("PRAGMA query_only = ON;")
        .map_err(backend)?;
    Ok(connection)
}

fn open(path: &Path, vfs: Option<&str>, flags: OpenFlags) -> Result<Connection> {
    let connection = match vfs {
        None => Connection::open_with_flags(path, flags).map_err(backend)?,
        Some(vfs) => {
            let connection =
                Connection::open_with_flags_and_vfs(path, flags, vfs).map_err(backend)?;
            // It shares no memory with other connections.
            connection
                .execute_batch("PRAGMA locking_mode = EXCLUSIVE;")
                .map_err(backend)?;
            connection
        }
    };
    connection.busy_timeout(BUSY_TIMEOUT).map_err(backend)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection
        .execute_batch(
            "PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -16384;",
        )
        .map_err(not_ours)?;
    Ok(connection)
}

/// A file SQLite does not recognise is named as such.
fn not_ours(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Malformed("database: not an skms store"),
        _ => backend(error),
    }
}

fn check(connection: &Connection) -> Result<()> {
    let number = |pragma: &str| -> Result<i64> {
        connection
            .query_row(pragma, [], |row| row.get(0))
            .map_err(not_ours)
    };
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    if tables == 0 && version == 0 && application == 0 {
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(Error::Malformed("database: not an skms store"));
    }
    if version > VERSION {
        return Err(Error::Newer {
            what: "the database",
            found: version.unsigned_abs(),
            supported: VERSION.unsigned_abs(),
        });
    }
    if version < VERSION {
        return Err(Error::Malformed("database: unknown schema version"));
    }
    Ok(())
}

fn create(connection: &Connection) -> Result<()> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(backend)?;
    if version == VERSION {
        return Ok(());
    }
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE; {SCHEMA}
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION};
             COMMIT;"
        ))
        .map_err(backend)
}

fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn array<const N: usize>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<[u8; N]>> {
    row.get_ref(column)?
        .as_blob_or_null()
        .map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                rusqlite::types::Type::Blob,
                Box::new(error),
            )
        })?
        .map(|blob| {
            blob.try_into().map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(
                    column,
                    rusqlite::types::Type::Blob,
                    Box::new(error),
                )
            })
        })
        .transpose()
}

fn kind(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Kind> {
    let value: i64 = row.get(column)?;
    u8::try_from(value)
        .ok()
        .and_then(|number| Kind::from_number(number).ok())
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Reads [`COLUMNS`].
pub(super) fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        kind: kind(row, 0)?,
        id: RecordId(array(row, 1)?.unwrap_or_default()),
        revision: unsigned(row, 2)?,
        index: array(row, 3)?,
        scope: array(row, 4)?,
        sealed: row.get(5)?,
    })
}

pub(super) fn select_one(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Option<Row>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE {condition}"))
        .and_then(|mut statement| statement.query_row(parameters, row).optional())
        .map_err(backend)
}

pub(super) fn select(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE {condition}"))
        .and_then(|mut statement| statement.query_map(parameters, row)?.collect())
        .map_err(backend)
}

pub(super) fn get(connection: &Connection, kind: Kind, id: RecordId) -> Result<Option<Row>> {
    select_one(
        connection,
        "kind = ?1 AND id = ?2",
        params![kind.number(), id.0],
    )
}

/// The next id of a scope.
pub(super) fn next_id(
    connection: &Connection,
    kind: Kind,
    scope: &[u8; 32],
    after: RecordId,
) -> Result<Option<RecordId>> {
    const SQL: &str = "SELECT id FROM record WHERE kind = ?1 AND scope = ?2 AND id > ?3
             ORDER BY id LIMIT 1";
    let id = |row: &rusqlite::Row<'_>| Ok(RecordId(array(row, 0)?.unwrap_or_default()));
    connection
        .prepare_cached(SQL)
        .and_then(|mut statement| {
            let given = params![kind.number(), scope, after.0];
            statement.query_row(given, id).optional()
        })
        .map_err(backend)
}

pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<Meta>> {
    connection
        .prepare_cached("SELECT revision, bytes FROM meta WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| {
                    Ok(Meta {
                        revision: unsigned(row, 0)?,
                        bytes: row.get(1)?,
                    })
                })
                .optional()
        })
        .map_err(backend)
}

/// Names of all plain values.
pub(super) fn meta_names(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM meta")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(backend)
}
