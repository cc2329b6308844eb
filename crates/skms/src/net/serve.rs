//! `skms serve`, from a configuration to the last connection's end.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    thread,
};

use skms_crypto::{SecretBytes, locked};
use skms_engine::Engine;
use skms_store::{SealInput, sealed::key_file};
use skms_wire::SecretText;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
};

use super::{
    accept::{self, Arrival, Room},
    acme::Probes,
    certificate,
    connection::{Door, Serving},
    dev::{self, Folder},
    listener,
    log::Log,
    notify::Couriers,
    peer,
    signals::{Signals, Wish},
    sources::Connections,
    tls::{self, Tls},
    watched::{self, Files},
    worker,
};
use crate::{
    config::ServerConfig,
    faces::{
        acme::Acme,
        est::Est,
        native::{App, DevToken, Native, metrics::Metrics},
        publication::Publications,
        stamping::Stamping,
    },
};

/// How often a self-made certificate is made anew.
const RENEWAL: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Files that are open beside connections: the store, the journal, listeners
/// and the runtimes' own, with room to spare.
const DESCRIPTORS: u64 = 256;

/// What is not in the configuration because it is for one run.
#[derive(Default)]
pub struct Options {
    /// Serve a throw-away store to try things with.
    pub dev: Option<Dev>,
}

/// A throw-away server.
#[derive(Default)]
pub struct Dev {
    /// A token to be let in with as `root`, instead of a random one.
    pub root_token: Option<SecretText>,
    /// Speak TLS; plain HTTP otherwise, on loopback only.
    pub tls: bool,
}

/// Why the server did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Plain HTTP would leave this machine.
    #[error("{address} is not a loopback address: plain HTTP stays on this machine; add --dev-tls")]
    PlainBeyondLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// A token that could not be sent, or that is too easily guessed.
    #[error("--dev-root-token: {0}")]
    DevToken(&'static str),
    /// The engine did not open.
    #[error(transparent)]
    Engine(#[from] skms_engine::Error),
    /// The certificate, its key or the client authorities.
    #[error("{0}")]
    Tls(String),
    /// What the `[notifications]` table names.
    #[error("notifications: {0}")]
    Notifications(String),
    /// The key file that was to unseal the server.
    #[error("cannot unseal with {}: {source}", path.display())]
    Unseal {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<skms_engine::Error>,
    },
    /// The operating system's.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl From<tls::Error> for ServeError {
    fn from(error: tls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

/// Serves until a signal says to stop, and stops gracefully.
///
/// # Errors
/// [`ServeError`], when the server cannot start; then nothing was served.
pub fn run(config: ServerConfig, options: Options) -> Result<(), ServeError> {
    let log = Log::new(config.log);
    let memory = locked::lock_process();
    for note in &memory.notes {
        log.warn("memory", &[("note", note.as_str().into())]);
    }
    let wanted = (config.limits.connections as u64).saturating_add(DESCRIPTORS);
    let files = locked::raise_open_files(wanted);
    if files < wanted {
        log.warn(
            "fewer files may be open than limits.connections needs: raise RLIMIT_NOFILE",
            &[("needed", wanted.into()), ("allowed", files.into())],
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("cannot start a runtime"))?;
    runtime.block_on(serve(config, options, log, memory))
}

async fn serve(
    mut config: ServerConfig,
    options: Options,
    log: Log,
    memory: locked::Report,
) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(system("cannot listen for signals"))?;
    let plain = options.dev.as_ref().is_some_and(|dev| !dev.tls);
    if plain && let Some(address) = config.listen.iter().find(|a| !a.ip().is_loopback()) {
        return Err(ServeError::PlainBeyondLoopback { address: *address });
    }
    let folder = match &options.dev {
        Some(_) => Some(Folder::new().map_err(system("cannot make a folder"))?),
        None => None,
    };
    if let Some(folder) = &folder {
        folder.path().clone_into(&mut config.data_dir);
    }
    let listeners = accept::bind(&config.listen)
        .await
        .map_err(|(address, source)| ServeError::Listen { address, source })?;
    let published = accept::bind(&config.publish)
        .await
        .map_err(|(address, source)| ServeError::Listen { address, source })?;
    let publishing: Vec<SocketAddr> = published
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    let addresses: Vec<SocketAddr> = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();

    let mut engine_config = skms_engine::Config::new(&config.data_dir);
    engine_config.postgres = config.database.clone().filter(|_| options.dev.is_none());
    engine_config.keys_in_memory = config.memory.keys;
    engine_config.rsa_stock = config.memory.rsa_stock;
    engine_config.rate = config.limits.rate;
    engine_config.slow_wait = config.limits.slow_wait;
    engine_config.prober = Arc::new(Probes::new(config.acme.clone()));
    engine_config.courier =
        Arc::new(Couriers::new(config.notifications.clone()).map_err(ServeError::Notifications)?);
    engine_config.gives_up = config.notifications.gives_up;
    let (engine, dev_token) = match options.dev {
        Some(dev) => {
            let (engine, root) = dev::engine(&engine_config).await?;
            (engine, Some(dev_token(root, dev.root_token)?))
        }
        None => (open(&config, engine_config, log).await?, None),
    };
    engine.start_jobs();

    let tls = match plain {
        true => None,
        false => Some(Arc::new(Tls::new(&config.tls, &config.data_dir)?)),
    };
    if let Some(tls) = &tls {
        look_after(tls, &config, &engine, log);
    }
    if let Some(token) = &dev_token {
        announce(&addresses, token, tls.is_some(), &config)
            .map_err(system("cannot write to standard output"))?;
    }
    let metrics = Arc::new(Metrics::new());
    let app = App::new(
        Arc::clone(&engine),
        config.limits.clone(),
        log,
        Arc::clone(&metrics),
        memory,
        dev_token,
        plain,
    );
    let app = Arc::new(app.named(listener::names(&config.tls.names)));
    let serving = Arc::new(Serving {
        tls: tls.clone(),
        native: Native::new(Arc::clone(&app)),
        publications: Publications::new(Arc::clone(&app)),
        stamping: Stamping::new(Arc::clone(&app)),
        acme: Acme::new(Arc::clone(&app), &config, &addresses),
        est: Est::new(Arc::clone(&app)),
        limits: config.limits.clone(),
        log,
        metrics: Arc::clone(&metrics),
    });
    let (stop, stopping) = watch::channel(false);
    let workers = Workers::start(config.workers, &serving, &stopping)
        .map_err(system("cannot start a worker"))?;
    let room = Room {
        permits: Arc::new(Semaphore::new(config.limits.connections)),
        connections: Connections::new(config.limits.connections_per_source),
        metrics,
    };
    let doors = listeners
        .into_iter()
        .map(|listener| (listener, Door::All))
        .chain(published.into_iter().map(|one| (one, Door::Publications)))
        .collect();
    let acceptors = workers.accept_from(doors, &room, log);
    for address in &publishing {
        log.info("publishing", &[("address", address.to_string().into())]);
    }
    for address in &addresses {
        log.info(
            "listening",
            &[
                ("address", address.to_string().into()),
                ("tls", (!plain).into()),
                ("sealed", engine.is_sealed().into()),
            ],
        );
    }

    let given = config.tls.identity.clone();
    let files = Files::new(given.into_iter().flat_map(|(one, other)| [one, other]));
    until_stopped(&mut signals, tls.as_deref(), files, log).await;

    log.info("stopping", &[]);
    app.stop();
    drop(acceptors);
    // Nobody left to tell is fine too.
    let _ = stop.send(true);
    workers.join().await;
    engine.shut().await?;
    log.info("stopped", &[]);
    drop(folder);
    Ok(())
}

/// Opens the store and unseals it where the configuration says how.
async fn open(
    config: &ServerConfig,
    engine_config: skms_engine::Config,
    log: Log,
) -> Result<Arc<Engine>, ServeError> {
    let engine = Engine::open(engine_config).await?;
    if let Some(path) = &config.unseal_key_file {
        let failed = |source: skms_engine::Error| ServeError::Unseal {
            path: path.clone(),
            source: Box::new(source),
        };
        let key = key_file::read(path).map_err(|error| failed(error.into()))?;
        engine
            .unseal(SealInput::KeyFile(key))
            .await
            .map_err(failed)?;
        log.info("unsealed with a key file", &[]);
    }
    Ok(engine)
}

/// Has the listener's certificate renewed, unless the operator gave one, and
/// says if clients will refuse the one that is there.
fn look_after(tls: &Arc<Tls>, config: &ServerConfig, engine: &Arc<Engine>, log: Log) {
    let now = engine.now().0;
    let ends = tls.leaf().and_then(|leaf| peer::ends(&leaf));
    if ends.is_some_and(|end| i64::try_from(end).is_ok_and(|end| end < now)) {
        log.error(
            "the listener's certificate has ended: clients refuse it until it is renewed",
            &[],
        );
    }
    if config.tls.identity.is_none() {
        let names = listener::names(&config.tls.names);
        let (engine, tls) = (Arc::downgrade(engine), Arc::clone(tls));
        tokio::spawn(listener::keep(engine, tls, names, log));
    }
}

/// Waits for the signal to stop, and looks after certificates meanwhile.
async fn until_stopped(signals: &mut Signals, tls: Option<&Tls>, mut given: Files, log: Log) {
    let mut renewal = tokio::time::interval(RENEWAL);
    let mut look = tokio::time::interval(watched::LOOK);
    renewal.tick().await;
    loop {
        let why = tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop => return,
                Wish::Reload => "asked to",
            },
            _ = renewal.tick() => "daily",
            _ = look.tick() => match given.changed() {
                true => "the file changed",
                false => continue,
            },
        };
        let Some(tls) = tls else { continue };
        match tls.reload() {
            Ok(()) => log.info("certificate reloaded", &[("why", why.into())]),
            Err(error) => log.error(
                "the certificate was not reloaded; the one before stays in use",
                &[("reason", error.to_string().into())],
            ),
        }
    }
}

/// The worker threads, and how to reach them.
struct Workers {
    senders: Vec<mpsc::Sender<Arrival>>,
    handles: Vec<thread::JoinHandle<()>>,
}

/// Accepting ends when this is dropped.
struct Acceptors(Vec<tokio::task::JoinHandle<()>>);

impl Drop for Acceptors {
    fn drop(&mut self) {
        for acceptor in &self.0 {
            acceptor.abort();
        }
    }
}

impl Workers {
    fn start(
        count: usize,
        serving: &Arc<Serving>,
        stop: &watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut workers = Self {
            senders: Vec::with_capacity(count),
            handles: Vec::with_capacity(count),
        };
        for number in 0..count {
            let (sender, handle) = worker::start(number, Arc::clone(serving), stop.clone())?;
            workers.senders.push(sender);
            workers.handles.push(handle);
        }
        Ok(workers)
    }

    fn accept_from(&self, listeners: Vec<(TcpListener, Door)>, room: &Room, log: Log) -> Acceptors {
        Acceptors(
            listeners
                .into_iter()
                .map(|listener| {
                    let (room, senders) = (room.clone(), self.senders.clone());
                    tokio::spawn(accept::accept(listener, room, senders, log))
                })
                .collect(),
        )
    }

    /// Waits for every worker; each has its own limit.
    async fn join(self) {
        drop(self.senders);
        let handles = self.handles;
        let _ = tokio::task::spawn_blocking(move || {
            for handle in handles {
                let _ = handle.join();
            }
        })
        .await;
    }
}

fn dev_token(root: SecretBytes, chosen: Option<SecretText>) -> Result<DevToken, ServeError> {
    let Some(chosen) = chosen else {
        return Ok(DevToken { root, alias: None });
    };
    let text = chosen.expose();
    if text.is_empty() || text.len() > 256 {
        return Err(ServeError::DevToken("it is 1 to 256 characters long"));
    }
    // RFC 6750, section 2.1: what a bearer token may consist of.
    let sendable = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if !text.bytes().all(sendable) {
        return Err(ServeError::DevToken(
            "it may consist of letters, digits and -._~+/= only",
        ));
    }
    Ok(DevToken {
        root,
        alias: Some(chosen),
    })
}

/// Tells whoever started a throw-away server how to reach it. This is the one
/// place where a token is shown, and the store it opens is thrown away.
fn announce(
    addresses: &[SocketAddr],
    token: &DevToken,
    tls: bool,
    config: &ServerConfig,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "A throw-away server: everything in it is gone when it stops.\n"
    )?;
    let scheme = if tls { "https" } else { "http" };
    for address in addresses {
        writeln!(out, "  export SKMS_ADDR={scheme}://{address}")?;
    }
    if tls && config.tls.identity.is_none() {
        let authority = certificate::authority_path(&config.data_dir);
        writeln!(out, "  export SKMS_CACERT={}", authority.display())?;
    }
    write!(out, "  export SKMS_TOKEN=")?;
    out.write_all(token.shown())?;
    writeln!(out, "\n")?;
    out.flush()
}
