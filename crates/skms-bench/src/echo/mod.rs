//! A server that does what any server must do (TLS, HTTP, JSON) and nothing
//! more: no identity, no policy, no record. What it reaches is the ceiling of
//! this stack on this machine.
//!
//! It is built as the product is: one current-thread runtime for each core,
//! connections handed round, HTTP/1.1 by hyper, routes by axum, TLS 1.3 by
//! rustls on AWS-LC.

mod messages;
mod routes;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::Result;

/// How the server is to be.
pub struct Options {
    /// Where it listens.
    listen: SocketAddr,
    /// The folder of `cert.pem` and `key.pem`; plain HTTP without.
    tls: Option<String>,
    /// One AES-256-GCM operation an item.
    seal: bool,
    /// Threads; one for each core without.
    workers: Option<usize>,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// An option that does not exist or has no value.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            seal: false,
            workers: None,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--listen" => options.listen = value()?.parse()?,
                "--tls" => options.tls = Some(value()?.clone()),
                "--workers" => options.workers = Some(value()?.parse()?),
                "--seal" => options.seal = true,
                _ => return Err(format!("no such option: {argument}").into()),
            }
        }
        Ok(options)
    }
}

/// Serves until the process is ended. Prints a ciphertext that it can open,
/// then where it listens, once it does.
///
/// # Errors
/// It cannot listen, or its certificate cannot be read.
pub fn run(options: &Options) -> Result {
    let tls = options.tls.as_deref().map(tls_config).transpose()?;
    let (router, sample) = routes::router(options.seal)?;
    let listener = TcpListener::bind(options.listen)?;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let workers = (0..options.workers.unwrap_or(cores).max(1))
        .map(|number| worker(number, router.clone(), tls.clone()))
        .collect::<std::io::Result<Vec<_>>>()?;
    println!("sample {sample}");
    println!("listening {}", listener.local_addr()?);
    for (turn, stream) in listener.incoming().enumerate() {
        let stream = stream?;
        stream.set_nonblocking(true)?;
        if let Some(worker) = workers.get(turn % workers.len()) {
            worker.send(stream)?;
        }
    }
    Ok(())
}

fn tls_config(folder: &str) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(format!("{folder}/cert.pem"))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/key.pem"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // As the product: no resumption.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Starts a thread that serves what it is sent.
fn worker(
    number: usize,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
) -> std::io::Result<mpsc::UnboundedSender<std::net::TcpStream>> {
    let (sender, mut receiver) = mpsc::unbounded_channel::<std::net::TcpStream>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            runtime.block_on(async {
                while let Some(stream) = receiver.recv().await {
                    tokio::spawn(connection(stream, router.clone(), tls.clone()));
                }
            });
        })?;
    Ok(sender)
}

async fn connection(stream: std::net::TcpStream, router: Router, tls: Option<Arc<ServerConfig>>) {
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    // Small answers should not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, router).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, router).await;
            }
        }
    }
}

async fn serve<S>(stream: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_default()) }
    });
    // A connection that breaks is the loader's matter.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_strange_ones_refused() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let options =
            Options::parse(&words("--listen 127.0.0.1:1 --tls d --seal --workers 2")).unwrap();
        assert!(options.seal && options.workers == Some(2) && options.tls.as_deref() == Some("d"));
        assert!(Options::parse(&words("--listen")).is_err());
        assert!(Options::parse(&words("--fast")).is_err());
    }
}
