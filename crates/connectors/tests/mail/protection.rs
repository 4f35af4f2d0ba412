//! Encryption and sign-in: what is never said in the clear, and never said again.

use std::sync::Arc;

use bursar_connectors::mail::{Login, MailSettings, Security, SmtpMail};
use bursar_connectors::{Connector, DeliveryOutcome};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::fake::{Peer, delivery, scripted, settings, words};

/// base64 of `\0bursar\0correct horse`.
const PLAIN: &str = "AUTH PLAIN AGJ1cnNhcgBjb3JyZWN0IGhvcnNl";

/// A certificate for the loopback address, and who vouches for it.
struct Identity {
    pem: Vec<u8>,
    acceptor: TlsAcceptor,
}

impl Identity {
    fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { pem: made.cert.pem().into_bytes(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    async fn encrypt(&self, peer: Peer<TcpStream>) -> std::io::Result<Peer<TlsStream<TcpStream>>> {
        Ok(Peer::over(self.acceptor.accept(peer.wire.into_inner()).await?))
    }

    fn connector(&self, server: std::net::SocketAddr, security: Security) -> SmtpMail {
        let login = Login { user: "bursar".to_owned(), password: "correct horse".into() };
        let authority_pem = Some(self.pem.clone());
        SmtpMail::new(MailSettings { security, authority_pem, login: Some(login), ..settings(server) })
            .unwrap()
    }
}

#[tokio::test]
async fn starttls_comes_before_name_and_password() {
    let identity = Arc::new(Identity::new("127.0.0.1"));
    let its = identity.clone();
    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&["mx.example", "STARTTLS", "AUTH PLAIN LOGIN"]).await;
        assert_eq!(peer.hear().await, "STARTTLS");
        peer.say("220 go\r\n").await;
        let mut peer = its.encrypt(peer).await.unwrap();
        peer.answer_hello(&["mx.example", "AUTH PLAIN LOGIN"]).await;
        let sign_in = peer.hear().await;
        peer.say("235 welcome\r\n").await;
        let letter = peer.take_letter().await;
        peer.say("250 kept\r\n").await;
        (sign_in, letter)
    })
    .await;
    let outcome = identity.connector(server, Security::StartTls).deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered { .. }), "{outcome:?}");
    let (sign_in, letter) = served.await.unwrap();
    assert_eq!(sign_in, PLAIN);
    assert!(letter.contains("Message-ID: <exec_1@northwind.example>"));
}

#[tokio::test]
async fn tls_from_the_first_byte_with_login_where_plain_is_missing() {
    let identity = Arc::new(Identity::new("127.0.0.1"));
    let its = identity.clone();
    let (server, served) = scripted(|peer| async move {
        let mut peer = its.encrypt(peer).await.unwrap();
        peer.greet(&["mx.example", "AUTH LOGIN"]).await;
        let mut heard = vec![peer.hear().await];
        for question in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
            peer.say(question).await;
            heard.push(peer.hear().await);
        }
        peer.say("235 welcome\r\n").await;
        peer.take_letter().await;
        peer.say("250 kept\r\n").await;
        heard
    })
    .await;
    let outcome = identity.connector(server, Security::Tls).deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::Delivered { .. }), "{outcome:?}");
    // base64 of the user and of the password.
    assert_eq!(served.await.unwrap(), ["AUTH LOGIN", "YnVyc2Fy", "Y29ycmVjdCBob3JzZQ=="]);
}

#[tokio::test]
async fn a_server_that_hides_starttls_learns_nothing() {
    let identity = Identity::new("127.0.0.1");
    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&["mx.example", "AUTH PLAIN LOGIN"]).await;
        peer.hear_all().await
    })
    .await;
    let outcome = identity.connector(server, Security::StartTls).deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{outcome:?}");
    assert_eq!(served.await.unwrap(), "");
}

#[tokio::test]
async fn answers_given_before_the_encryption_are_not_believed() {
    let identity = Arc::new(Identity::new("127.0.0.1"));
    let its = identity.clone();
    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&["mx.example", "STARTTLS"]).await;
        peer.hear().await;
        // In one write with the go-ahead: what somebody on the way would slip in.
        peer.say("220 go\r\n250-mx.example\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok\r\n250 ok\r\n354 go\r\n250 kept\r\n").await;
        its.encrypt(peer).await.is_ok()
    })
    .await;
    let outcome = identity.connector(server, Security::StartTls).deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{outcome:?}");
    assert!(!served.await.unwrap(), "no handshake was completed");
}

#[tokio::test]
async fn a_certificate_for_another_name_or_by_a_stranger_is_not_accepted() {
    let (other_name, stranger) = (Identity::new("mx.example"), Identity::new("127.0.0.1"));
    let trusts = |pem: &[u8]| Identity { pem: pem.to_vec(), ..Identity::new("127.0.0.1") };
    let cases = [(trusts(&other_name.pem), other_name), (trusts(&Identity::new("127.0.0.1").pem), stranger)];
    for (ours, theirs) in cases {
        let (server, served) = scripted(|peer| async move { theirs.encrypt(peer).await.is_ok() }).await;
        let outcome = ours.connector(server, Security::Tls).deliver(&delivery("exec_1")).await;
        assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{outcome:?}");
        assert!(!served.await.unwrap(), "no handshake was completed");
    }
}

#[tokio::test]
async fn a_refused_password_waits_for_a_person_and_is_never_shown() {
    let identity = Arc::new(Identity::new("127.0.0.1"));
    let its = identity.clone();
    let (server, served) = scripted(|peer| async move {
        let mut peer = its.encrypt(peer).await.unwrap();
        peer.greet(&["mx.example", "AUTH PLAIN"]).await;
        let sign_in = peer.hear().await;
        peer.say(&format!("535 5.7.8 you said {sign_in}, correct horse\r\n")).await;
        peer.hear_all().await
    })
    .await;
    let outcome = identity.connector(server, Security::Tls).deliver(&delivery("exec_1")).await;
    let said = words(&outcome);
    assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{said}");
    assert!(said.contains("535") && !said.contains("horse") && !said.contains("AGJ1"), "{said}");
    assert_eq!(served.await.unwrap(), "", "no letter follows a refused sign-in");
}
