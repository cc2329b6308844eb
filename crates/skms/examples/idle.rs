//! What idle connections cost: serves a throw-away store with the binary that
//! is named, opens connections to it from this process, and prints how much
//! the server's memory grew.
//!
//! `cargo xtask idle` runs it on the release build.
#![allow(clippy::print_stdout, missing_docs)]

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use skms_crypto::{SecretArray, locked};
use skms_engine::{Config, Engine};
use skms_store::NewSeal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Connections that are being opened at the same time.
const AT_ONCE: usize = 64;
/// Opened before the first measurement, so that what is allocated once for all
/// is not put down to the connections.
const WARM_UP: usize = 200;

/// How long they are left alone before they count as idle.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().ok_or("usage: idle SKMS-BINARY [COUNT]")?;
    let count: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let files = locked::raise_open_files(count as u64 + 256);
    if files < count as u64 + 256 {
        return Err(format!("only {files} files may be open here").into());
    }
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(Path::new(&binary), folder.path(), count))
}

async fn run(binary: &Path, folder: &Path, count: usize) -> Result<()> {
    let data = folder.join("data");
    let key_file = folder.join("unseal.key");
    initialise(&data, &key_file).await?;
    let settings = folder.join("skms.toml");
    fs::write(
        &settings,
        format!(
            "[limits]\nconnections = {0}\nconnections_per_source = {0}\n\
             header_timeout_seconds = 3600\nidle_timeout_seconds = 3600\n",
            count + WARM_UP + 64
        ),
    )?;
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "info"])
        .arg("--config")
        .arg(&settings)
        .arg("--data-dir")
        .arg(&data)
        .arg("--unseal-key-file")
        .arg(&key_file)
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let server = Server(child);
    let address = listening(stderr)?;
    let tls = client(&data.join("ca.pem"))?;

    drop(open(address, &tls, WARM_UP).await?);
    let before = memory(server.0.id())?;
    let mut connections = open(address, &tls, count).await?;
    tokio::time::sleep(SETTLE).await;
    let after = memory(server.0.id())?;
    // All of them are still open and answered.
    for connection in &mut connections {
        ask(connection).await?;
    }
    let used = memory(server.0.id())?;
    let each = |kib: u64| (kib.saturating_sub(before)) as f64 / count as f64;
    println!("connections       {count}");
    println!("server before     {before} KiB resident");
    println!("with them idle    {after} KiB, {:.1} KiB each", each(after));
    println!("asked once more   {used} KiB, {:.1} KiB each", each(used));
    println!(
        "growth            {} MB",
        used.saturating_sub(before) * 1024 / 1_000_000
    );
    Ok(())
}

async fn initialise(data: &Path, key_file: &Path) -> Result<()> {
    fs::create_dir(data)?;
    let key = SecretArray::<32>::random()?;
    let bytes = key.expose().iter();
    let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(key_file)?;
    writeln!(file, "{hex}")?;
    let seal = NewSeal::KeyFile {
        name: "idle".to_owned(),
        key,
    };
    Engine::init(&Config::new(data), vec![seal]).await?;
    Ok(())
}

/// Waits for the line that says where the server listens; goes on reading, so
/// that the server never waits for its log.
fn listening(stderr: impl std::io::Read + Send + 'static) -> Result<SocketAddr> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines();
        for line in lines.map_while(std::io::Result::ok) {
            let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let address = value["address"].as_str().and_then(|text| text.parse().ok());
            if let Some(address) = address {
                let _ = tell.send(address);
            }
        }
    });
    Ok(told.recv()?)
}

fn client(authority: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Opens connections, each with one request answered on it.
async fn open(
    address: SocketAddr,
    tls: &TlsConnector,
    count: usize,
) -> Result<Vec<TlsStream<TcpStream>>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE.min(count - all.len()) {
            let tls = tls.clone();
            opening.spawn(async move {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                let mut stream = tls.connect(name, stream).await?;
                ask(&mut stream).await?;
                std::io::Result::Ok(stream)
            });
        }
        while let Some(opened) = opening.join_next().await {
            all.push(opened??);
        }
    }
    Ok(all)
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
        // The answer's JSON object is its last part.
        if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"}") {
            return Ok(());
        }
    }
}

/// Resident memory of a process, in KiB.
fn memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
