//! The conversation that hands a letter over, in two halves with the final dot between them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SmtpMail;
use super::letter::Sealed;
use super::reply::{Reply, Silence};
use super::session::{Session, stuff_dots};
use super::settings::{Login, Security};

/// How long a polite goodbye may take; nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where in the conversation a server's answer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    Hello,
    Encryption,
    SignIn,
    Sender,
    Recipient,
    Data,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Greeting => "the greeting",
            Step::Hello => "our name",
            Step::Encryption => "encryption",
            Step::SignIn => "our sign-in",
            Step::Sender => "the sender",
            Step::Recipient => "the recipient",
            Step::Data => "the message",
        })
    }
}

/// Why the final dot was never sent: whatever it was, the letter did not go out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("cannot reach the mail server: {0}")]
    Unreachable(String),
    #[error("the mail server was lost before the message was complete: {0}")]
    Lost(#[from] Silence),
    #[error("the mail server did not get through the conversation within {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    #[error("the mail server answered {step} with {} {}", .reply.code, .reply.text())]
    Answered { step: Step, reply: Reply },
    #[error("the mail server offers no {0}")]
    Lacks(&'static str),
    #[error("the mail server does not take addresses outside ASCII")]
    LacksUtf8,
}

impl Stopped {
    /// Fit to be kept and logged: a server's words may name whom it refused.
    pub(super) fn without_words(&self) -> String {
        match self {
            Stopped::Answered { step, reply } => {
                format!("the mail server answered {step} with {}", reply.codes())
            }
            other => other.to_string(),
        }
    }
}

/// Everything of a letter but the final dot lies with the server.
pub(super) struct Offered {
    session: Session,
}

/// Says everything up to the final dot.
pub(super) async fn offer(mail: &SmtpMail, sealed: &Sealed) -> Result<Offered, Stopped> {
    let limit = mail.settings.deadlines.offer;
    timeout(limit, hand_over(mail, sealed)).await.unwrap_or(Err(Stopped::TooSlow(limit)))
}

/// Reaches the server, signs in and leaves. Says whom it met.
pub(super) async fn greet(mail: &SmtpMail) -> Result<String, Stopped> {
    let limit = mail.settings.deadlines.offer;
    let (mut session, hello) = timeout(limit, open(mail)).await.unwrap_or(Err(Stopped::TooSlow(limit)))?;
    let name = Reply { lines: hello.lines.into_iter().take(1).collect(), ..hello }.text();
    say_goodbye(&mut session).await;
    Ok(format!("{}:{} ({name})", mail.settings.host, mail.settings.port))
}

impl Offered {
    /// Sends the final dot and waits for the verdict. From here on, no answer means that nobody knows.
    pub(super) async fn finish(mut self, limit: Duration) -> Result<Reply, String> {
        let verdict = timeout(limit, self.session.ask(".\r\n")).await;
        match verdict {
            Ok(Ok(reply)) => {
                say_goodbye(&mut self.session).await;
                Ok(reply)
            }
            Ok(Err(silence)) => Err(silence.to_string()),
            Err(_) => Err(format!("no answer within {} s", limit.as_secs_f64())),
        }
    }
}

async fn hand_over(mail: &SmtpMail, sealed: &Sealed) -> Result<Offered, Stopped> {
    let (mut session, hello) = open(mail).await?;
    let mut parameters = Vec::new();
    if sealed.needs_utf8() {
        if hello.extension("SMTPUTF8").is_none() {
            return Err(Stopped::LacksUtf8);
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    demand(
        Step::Sender,
        Reply::is_positive,
        session.ask(Mail::new(Some(sealed.from.clone()), parameters)).await?,
    )?;
    demand(
        Step::Recipient,
        Reply::is_positive,
        session.ask(Rcpt::new(sealed.to.clone(), Vec::new())).await?,
    )?;
    demand(Step::Data, |reply| reply.code == 354, session.ask(Data).await?)?;
    session.write(&stuff_dots(&sealed.bytes)).await.map_err(Silence::Broken)?;
    Ok(Offered { session })
}

/// A session that is greeted, encrypted as configured and signed in, with the server's last answer to EHLO.
async fn open(mail: &SmtpMail) -> Result<(Session, Reply), Stopped> {
    let settings = &mail.settings;
    let unreachable = |error: std::io::Error| Stopped::Unreachable(error.to_string());
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let name = client_name(tcp.local_addr().map_err(unreachable)?.ip());

    let (mut session, hello) = match (&mail.tls, settings.security) {
        (None, _) => greeted(Session::over(Box::new(tcp)), &name).await?,
        (Some(tls), Security::StartTls) => {
            let (mut plain, hello) = greeted(Session::over(Box::new(tcp)), &name).await?;
            if hello.extension("STARTTLS").is_none() {
                return Err(Stopped::Lacks("STARTTLS"));
            }
            demand(Step::Encryption, |reply| reply.code == 220, plain.ask(Starttls).await?)?;
            let wire = tls.encrypt(plain.into_wire()?).await.map_err(unreachable)?;
            let mut session = Session::over(wire);
            let hello = say_hello(&mut session, &name).await?;
            (session, hello)
        }
        (Some(tls), _) => {
            let wire = tls.encrypt(Box::new(tcp)).await.map_err(unreachable)?;
            greeted(Session::over(wire), &name).await?
        }
    };
    if let Some(login) = &settings.login {
        sign_in(&mut session, &hello, login).await?;
    }
    Ok((session, hello))
}

async fn greeted(mut session: Session, name: &ClientId) -> Result<(Session, Reply), Stopped> {
    demand(Step::Greeting, |reply| reply.code == 220, session.reply().await?)?;
    let hello = say_hello(&mut session, name).await?;
    Ok((session, hello))
}

async fn say_hello(session: &mut Session, name: &ClientId) -> Result<Reply, Stopped> {
    demand(Step::Hello, |reply| reply.code == 250, session.ask(Ehlo::new(name.clone())).await?)
}

/// PLAIN where offered, else LOGIN. The server's words are dropped: some echo what they were sent.
async fn sign_in(session: &mut Session, hello: &Reply, login: &Login) -> Result<(), Stopped> {
    let offered = hello.extension("AUTH").unwrap_or_default();
    let mechanism = [Mechanism::Plain, Mechanism::Login]
        .into_iter()
        .find(|mechanism| offered.iter().any(|name| *name == mechanism.to_string()))
        .ok_or(Stopped::Lacks("PLAIN or LOGIN sign-in"))?;
    let credentials = Credentials::new(login.user.clone(), login.password.expose_secret().to_owned());
    let refused = |code| Stopped::Answered { step: Step::SignIn, reply: Reply { code, lines: Vec::new() } };

    let opening = Auth::new(mechanism, credentials.clone(), None).map_err(|_| refused(500))?;
    let mut reply = session.ask(opening).await?;
    // LOGIN asks for the user and then for the password; whoever asks more often is not heard.
    for _ in 0..2 {
        if reply.code != 334 {
            break;
        }
        let challenge = format!("334 {}\r\n", reply.text()).parse::<Response>().map_err(|_| refused(334))?;
        let answer = Auth::new_from_response(mechanism, credentials.clone(), &challenge);
        reply = session.ask(answer.map_err(|_| refused(334))?).await?;
    }
    if reply.code == 235 { Ok(()) } else { Err(refused(reply.code)) }
}

fn demand(step: Step, fits: impl Fn(&Reply) -> bool, reply: Reply) -> Result<Reply, Stopped> {
    if fits(&reply) { Ok(reply) } else { Err(Stopped::Answered { step, reply }) }
}

/// An address literal: true on every machine, also where no host name is set.
fn client_name(address: IpAddr) -> ClientId {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => ClientId::default(),
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    }
}

async fn say_goodbye(session: &mut Session) {
    let farewell = Quit.to_string();
    // The outcome stands already; a server that does not listen any more changes nothing.
    let _heard = timeout(GOODBYE, session.write(farewell.as_bytes())).await;
}
