//! Events in one mail, by the operator's mail server (RFC 5321).
//!
//! Nothing is said to a server in the clear but by the operator's word, and
//! then on this machine alone; a mail goes to all of its mailboxes or to none.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use skms_engine::acts::events::Recorded;
use skms_engine::courier::{Mail, Undelivered};
use skms_engine::words::hides;
use skms_wire::Moment;
use skms_wire::smtp::{Mailbox, Note, Replies, Reply};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::distrusted;
use crate::config::{Security, SmtpConfig};
use crate::faces::native::event_view;

/// For all that is said to a mail server about one mail.
const PATIENCE: Duration = Duration::from_secs(30);
/// How this server is called where its own name is not asked for.
const HELLO: &str = "EHLO localhost";
/// The longest password file.
const PASSWORD_MAX: usize = 1024;

/// Whether mail is sent to such a mailbox.
pub fn may_go(smtp: &SmtpConfig, to: &Mailbox) -> bool {
    let mut domains = smtp.allow_to.iter();
    smtp.allow_to.is_empty() || domains.any(|domain| domain.eq_ignore_ascii_case(to.domain()))
}

/// Why mail is not sent there.
pub fn elsewhere(to: &Mailbox) -> Undelivered {
    let domain = to.domain();
    Undelivered(format!(
        "this server sends no mail to {domain}: see allow_to in [notifications.smtp]"
    ))
}

/// Sends it, and says how that went.
///
/// # Errors
/// [`Undelivered`], in words without what the server said but for its number.
pub async fn send(
    smtp: &SmtpConfig,
    tls: &Arc<ClientConfig>,
    mail: Mail<'_>,
) -> Result<String, Undelivered> {
    let late = format!("{}: no answer within {} s", smtp.host, PATIENCE.as_secs());
    let sent = tokio::time::timeout(PATIENCE, exchange(smtp, tls, &mail)).await;
    sent.unwrap_or(Err(Undelivered(late)))
}

async fn exchange(
    smtp: &SmtpConfig,
    tls: &Arc<ClientConfig>,
    mail: &Mail<'_>,
) -> Result<String, Undelivered> {
    let failed = |why: &str| Undelivered(format!("{}: {why}", smtp.host));
    let to = mail.to.iter().map(|one| one.parse::<Mailbox>());
    let to: Vec<Mailbox> = to
        .collect::<Result<_, _>>()
        .map_err(|_| failed("a mailbox that is none"))?;
    // The settings may have changed since the mailboxes were taken.
    if let Some(other) = to.iter().find(|one| !may_go(smtp, one)) {
        return Err(elsewhere(other));
    }
    let stream = TcpStream::connect((smtp.host.as_str(), smtp.port)).await;
    let stream = stream.map_err(|error| failed(&format!("nobody answers: {error}")))?;
    if smtp.security == Security::None {
        let near = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
        if !near {
            return Err(failed("mail in the clear stays on this machine"));
        }
        let mut talk = Talk::new(stream, &smtp.host);
        talk.expect(220, "the greeting").await?;
        return deliver(&mut talk, smtp, &to, mail).await;
    }
    let name = ServerName::try_from(smtp.host.clone()).map_err(|_| failed("it is no name"))?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let distrusted = |error: std::io::Error| failed(distrusted(&error));
    if smtp.security == Security::Implicit {
        let stream = connector.connect(name, stream).await.map_err(distrusted)?;
        let mut talk = Talk::new(stream, &smtp.host);
        talk.expect(220, "the greeting").await?;
        return deliver(&mut talk, smtp, &to, mail).await;
    }
    let mut talk = Talk::new(stream, &smtp.host);
    talk.expect(220, "the greeting").await?;
    let offered = talk.say(HELLO, 250, "EHLO").await?;
    if !offered.offers("STARTTLS", None) {
        return Err(failed("it offers no STARTTLS"));
    }
    talk.say("STARTTLS", 220, "STARTTLS").await?;
    // What came with the reply was said by whoever is in between.
    let stream = talk.end().ok_or_else(|| failed("it speaks before TLS"))?;
    let stream = connector.connect(name, stream).await.map_err(distrusted)?;
    let mut talk = Talk::new(stream, &smtp.host);
    deliver(&mut talk, smtp, &to, mail).await
}

/// From the second greeting on.
async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<'_, S>,
    smtp: &SmtpConfig,
    to: &[Mailbox],
    mail: &Mail<'_>,
) -> Result<String, Undelivered> {
    let offered = talk.say(HELLO, 250, "EHLO").await?;
    if let Some((user, file)) = &smtp.login {
        if !offered.offers("AUTH", Some("PLAIN")) {
            return Err(talk.failed("it offers no AUTH PLAIN"));
        }
        let password = password(file).map_err(|why| talk.failed(&why))?;
        let both = Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
        let line = Zeroizing::new(format!("AUTH PLAIN {}", STANDARD.encode(both.as_bytes())));
        talk.say(&line, 235, "AUTH").await?;
    }
    let from = format!("MAIL FROM:<{}>", smtp.from.as_str());
    talk.say(&from, 250, "MAIL").await?;
    for one in to {
        // All of them or none: who is left out would never know.
        let rcpt = format!("RCPT TO:<{}>", one.as_str());
        talk.say(&rcpt, 250, "RCPT").await?;
    }
    talk.say("DATA", 354, "DATA").await?;
    let note = written(smtp, to, mail);
    talk.send(note.as_bytes()).await?;
    talk.expect(250, "the message").await?;
    // It is taken; how the talk ends does not matter.
    let _ = talk.send(b"QUIT\r\n").await;
    Ok("taken by the mail server".to_owned())
}

/// What is said to a server and what it replies.
struct Talk<'a, S> {
    stream: S,
    host: &'a str,
    replies: Replies,
    unread: Vec<u8>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    fn new(stream: S, host: &'a str) -> Self {
        Self {
            stream,
            host,
            replies: Replies::default(),
            unread: Vec::new(),
        }
    }

    fn failed(&self, why: &str) -> Undelivered {
        Undelivered(format!("{}: {why}", self.host))
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Undelivered> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let sent = sent.await;
        sent.map_err(|_| self.failed("the connection broke"))
    }

    async fn reply(&mut self) -> Result<Reply, Undelivered> {
        loop {
            let unread = std::mem::take(&mut self.unread);
            for (at, byte) in unread.iter().enumerate() {
                let taken = self.replies.take(*byte);
                if let Some(reply) = taken.map_err(|error| self.failed(error.0))? {
                    self.unread = unread.get(at + 1..).unwrap_or_default().to_vec();
                    return Ok(reply);
                }
            }
            let mut buffer = [0; 1024];
            match self.stream.read(&mut buffer).await {
                Ok(count) if count > 0 => {
                    self.unread = buffer.get(..count).unwrap_or_default().to_vec();
                }
                _ => return Err(self.failed("the connection broke")),
            }
        }
    }

    async fn expect(&mut self, code: u16, to: &str) -> Result<Reply, Undelivered> {
        let reply = self.reply().await?;
        match reply.code {
            got if got == code => Ok(reply),
            // To be forwarded is to be taken (RFC 5321, section 3.4).
            251 if code == 250 => Ok(reply),
            got => Err(self.failed(&format!("{to} was answered {got}"))),
        }
    }

    async fn say(&mut self, line: &str, code: u16, what: &str) -> Result<Reply, Undelivered> {
        let line = Zeroizing::new(format!("{line}\r\n"));
        self.send(line.as_bytes()).await?;
        self.expect(code, what).await
    }

    /// The stream, if nothing was said on it that was not asked for.
    fn end(self) -> Option<S> {
        (self.unread.is_empty() && self.replies.is_between()).then_some(self.stream)
    }
}

/// The first line of the file.
fn password(file: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| format!("password_file {}: {error}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || line.len() > PASSWORD_MAX || line.contains('\0') {
        return Err(format!(
            "password_file {}: it holds no password",
            file.display()
        ));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn written(smtp: &SmtpConfig, to: &[Mailbox], mail: &Mail<'_>) -> String {
    let (namespace, channel) = mail.channel;
    let count = mail.events.len();
    let what = match mail.events {
        [one] if mail.left_out == 0 => one.event.action.to_string(),
        _ => format!("{} events", count as u64 + mail.left_out),
    };
    let mut text = String::new();
    for recorded in mail.events {
        text.push_str(&told(recorded));
        text.push('\n');
    }
    if mail.left_out > 0 {
        text.push_str(&format!(
            "And {} more, which are in the record: skms log tail\n\n",
            mail.left_out
        ));
    }
    text.push_str(&format!(
        "Sent by the notification channel {namespace}/{channel}.\n"
    ));
    let id = mail.events.first().map(|one| one.event.id.to_string());
    let date = OffsetDateTime::now_utc()
        .format(&Rfc2822)
        .unwrap_or_default();
    let note = Note {
        from: &smtp.from,
        to,
        date: &date,
        id: &format!("{}.{count}", id.unwrap_or_default()),
        subject: &format!("SKMS {namespace}/{channel}: {what}"),
        text: &text,
    };
    note.written()
}

/// An event in words, one fact a line. What callers wrote has no lines of its
/// own.
fn told(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let targets: Vec<&str> = event.targets.iter().map(|one| one.name.as_str()).collect();
    let source = event.source.map(|source| format!(" from {source}"));
    let mut lines = vec![
        format!("{} {}", event.action, event.outcome.name()),
        format!("  at      {}", Moment::from_unix_ms(event.at_millis)),
        format!("  on      {}", targets.join(", ")),
        format!(
            "  by      {}{}",
            event.principal,
            source.unwrap_or_default()
        ),
    ];
    if let Some(reason) = event.outcome.reason() {
        lines.push(format!("  because {reason}"));
    }
    for (name, value) in event_view(recorded).told() {
        lines.push(format!("  {name} {value}"));
    }
    lines.push(format!(
        "  event   {} (place {})",
        event.id, recorded.sequence
    ));
    let mut text = String::new();
    for line in lines {
        let shown = line
            .chars()
            .map(|one| if hides(one) { '\u{fffd}' } else { one });
        text.extend(shown);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use skms_evidence::{Details, Event, EventId, Outcome, Target};

    use super::*;

    #[test]
    fn mail_goes_to_the_domains_that_the_operator_named() {
        let mut smtp = SmtpConfig {
            host: "mail.example.org".to_owned(),
            port: 25,
            security: Security::None,
            from: "skms@example.org".parse().unwrap(),
            allow_to: Vec::new(),
            login: None,
        };
        let may = |smtp: &SmtpConfig, to: &str| may_go(smtp, &to.parse().unwrap());
        assert!(may(&smtp, "eve@example.com"));
        smtp.allow_to = vec!["example.org".to_owned(), "b.example".to_owned()];
        assert!(may(&smtp, "ops@example.org") && may(&smtp, "a@B.example"));
        for other in ["eve@example.com", "a@sub.example.org", "a@notexample.org"] {
            assert!(!may(&smtp, other), "{other}");
        }
    }

    #[test]
    fn what_callers_wrote_is_one_line_in_one_direction() {
        let event = Event {
            id: EventId([0; 16]),
            at_millis: 0,
            namespace: None,
            principal: "eve\u{202e}toor".into(),
            authentication: "token".into(),
            source: None,
            action: "key.revoke".into(),
            targets: vec![Target {
                name: "team/a\nkey.create success".into(),
                ..Target::default()
            }],
            outcome: Outcome::denied("because\u{2028}of \u{2066}that"),
            request_id: "r".into(),
            items: None,
            details: Details::new(),
        };
        let text = told(&Recorded { sequence: 7, event });
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(
            text.chars().all(|one| one == '\n' || !hides(one)),
            "{text:?}"
        );
        assert!(text.contains("eve\u{fffd}toor") && text.contains("because\u{fffd}of"));
    }
}
