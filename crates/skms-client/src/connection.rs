//! One connection: TCP, TLS, and HTTP/1.1 or HTTP/2 on top.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use skms_exchange::Error as Refusal;
use skms_exchange::channel::Channel;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Address, Error, Result};

/// A request's body: whole, in memory.
pub(crate) type Body = Full<Bytes>;

/// What was negotiated with the server.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The TLS version, such as `TLSv1_3`; none over plain HTTP.
    pub tls_version: Option<String>,
    /// The cipher suite.
    pub cipher_suite: Option<String>,
    /// The key exchange, such as `X25519MLKEM768`.
    pub key_exchange: Option<String>,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
}

/// The sending half of a connection. HTTP/2 is shared, HTTP/1.1 lent out.
pub(crate) enum Sender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Sender {
    /// Whether the connection takes another request.
    pub async fn ready(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends. When the error still holds the request, none of it was sent.
    pub async fn send(
        &mut self,
        request: Request<Body>,
    ) -> std::result::Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Self::One(sender) => sender.try_send_request(request).await,
            Self::Two(sender) => sender.try_send_request(request).await,
        }
    }
}

/// Makes connections to one address.
pub(crate) struct Connector {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Connector {
    /// The host of the address.
    pub fn host(&self) -> &str {
        self.address.host()
    }

    pub fn new(
        address: Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        timeout: Duration,
    ) -> Result<Self> {
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(address.host().to_owned()).map_err(|_| {
                    Error::Address {
                        address: address.to_string(),
                        reason: "the host is neither a DNS name nor an IP address",
                    }
                })?;
                Some((TlsConnector::from(config), name))
            }
        };
        Ok(Self {
            address,
            tls,
            timeout,
        })
    }

    /// Connects, within the time allowed for it.
    pub async fn connect(&self) -> Result<(Sender, Peer)> {
        match timeout(self.timeout, self.attempt()).await {
            Ok(result) => result,
            Err(_) => Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Connects, and gives what keys are bound to the connection by; `own` is
    /// the certificate (DER) that is shown.
    pub async fn connect_bound(&self, own: &[u8]) -> Result<(Sender, Channel)> {
        match timeout(self.timeout, self.attempt_bound(own)).await {
            Ok(result) => result,
            Err(_) => Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn attempt(&self) -> Result<(Sender, Peer)> {
        let tcp = self.tcp().await?;
        let Some(tls) = &self.tls else {
            return Ok((self.http1(tcp).await?, Peer::default()));
        };
        let stream = self.handshake(tls, tcp).await?;
        let peer = describe(&stream);
        Ok((self.http(stream, peer.http2).await?, peer))
    }

    async fn attempt_bound(&self, own: &[u8]) -> Result<(Sender, Channel)> {
        let tls = self.tls.as_ref().ok_or(Refusal::Channel)?;
        let stream = self.handshake(tls, self.tcp().await?).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let shown = shown.ok_or(Refusal::Channel)?;
        let channel = Channel::of(own, shown, |label, context, out| {
            let exported = session.export_keying_material(out, label, Some(context));
            exported.map(|_| ())
        })?;
        let http2 = session.alpn_protocol() == Some(b"h2");
        Ok((self.http(stream, http2).await?, channel))
    }

    async fn tcp(&self) -> Result<TcpStream> {
        let tcp = TcpStream::connect((self.address.host(), self.address.port()))
            .await
            .map_err(|source| self.unreachable(source))?;
        tcp.set_nodelay(true)
            .map_err(|source| self.unreachable(source))?;
        Ok(tcp)
    }

    async fn handshake(
        &self,
        (connector, name): &(TlsConnector, ServerName<'static>),
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>> {
        let done = connector.connect(name.clone(), tcp).await;
        done.map_err(|source| Error::Tls {
            address: self.address.to_string(),
            source,
        })
    }

    async fn http(&self, stream: TlsStream<TcpStream>, two: bool) -> Result<Sender> {
        match two {
            true => self.http2(stream).await,
            false => self.http1(stream).await,
        }
    }

    async fn http1<S>(&self, stream: S) -> Result<Sender>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| self.broken(source))?;
        // Its end shows in the sender; there is nobody else to tell.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Sender::One(sender))
    }

    async fn http2<S>(&self, stream: S) -> Result<Sender>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|source| self.broken(source))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Sender::Two(sender))
    }

    fn unreachable(&self, source: io::Error) -> Error {
        Error::Unreachable {
            address: self.address.to_string(),
            source,
        }
    }

    pub fn broken(&self, source: hyper::Error) -> Error {
        Error::Broken {
            address: self.address.to_string(),
            source,
        }
    }
}

fn describe(stream: &TlsStream<TcpStream>) -> Peer {
    let (_, session) = stream.get_ref();
    Peer {
        tls_version: session
            .protocol_version()
            .map(|version| format!("{version:?}")),
        cipher_suite: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite())),
        key_exchange: session
            .negotiated_key_exchange_group()
            .map(|group| format!("{:?}", group.name())),
        http2: session.alpn_protocol() == Some(b"h2"),
    }
}
