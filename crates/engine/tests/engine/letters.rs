//! A letter goes out once or not at all. A mail server cannot be asked what it holds: what may have gone is not sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bursar_connectors::mail::listener::{Conduct, Limits, MailListener, Misbehaviour};
use bursar_connectors::mail::mailbox::{Capacity, Mailbox};
use bursar_connectors::mail::{MailSettings, SmtpMail};
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_engine::FailPoint;

use crate::scene::{Scene, Wish};
use crate::stage::Failed;

pub struct Post {
    address: SocketAddr,
    pub mailbox: Arc<Mailbox>,
    conduct: Conduct,
}

impl Post {
    pub async fn open() -> Post {
        let mailbox = Arc::new(Mailbox::in_memory(Capacity::default()));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let clock = Arc::new(|| BusinessTime::from_unix_s(crate::stage::NOW_S));
        let listener = MailListener::bind(any, Arc::clone(&mailbox), clock, Limits::default()).await.unwrap();
        let (address, conduct) = (listener.local_addr().unwrap(), listener.conduct());
        tokio::spawn(listener.serve(std::future::pending()));
        Post { address, mailbox, conduct }
    }

    pub fn wish(&self) -> Wish {
        let settings = MailSettings::loopback(self.address, "Northwind <billing@northwind.example>");
        Wish { mail: Some(Arc::new(SmtpMail::new(settings).unwrap())), ..Wish::default() }
    }
}

/// A failed payment, about which the customer is written to.
async fn letter(scene: &Scene) -> ProposalId {
    letter_about(scene, &scene.stage.failed_invoice("insufficient_funds")).await
}

pub async fn letter_about(scene: &Scene, failed: &Failed) -> ProposalId {
    scene.deliver(&failed.event).await.unwrap();
    scene.proposed(&failed.invoice, "mail.send").await
}

#[tokio::test]
async fn a_letter_goes_out_once() {
    let post = Post::open().await;
    let scene = Scene::new(post.wish()).await;
    let proposal = letter(&scene).await;
    scene.live_until(&proposal, ProposalState::Done).await;
    scene.quiet().await;
    assert_eq!(post.mailbox.letters().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn every_way_in_which_a_server_disappoints_has_its_answer() {
    use Misbehaviour::{Greylist, HangUpAfterMessage, HangUpWithinMessage, RefuseMessages, RefuseRecipients};
    for (conduct, ends, letters) in [
        (RefuseRecipients, ProposalState::Refused, 0),
        (RefuseMessages, ProposalState::Refused, 0),
        (Greylist, ProposalState::Done, 1),
        // Nobody can tell this from the next one.
        (HangUpWithinMessage, ProposalState::InDoubt, 0),
        (HangUpAfterMessage, ProposalState::InDoubt, 1),
    ] {
        let post = Post::open().await;
        let mut scene = Scene::new(post.wish()).await;
        post.conduct.set(conduct);
        let proposal = letter(&scene).await;
        let tried = async || scene.execution(&proposal).await.is_some_and(|held| held.sends == 1);
        scene.until("a first try", tried).await;
        scene.quiet().await;
        post.conduct.set(Misbehaviour::None);
        scene.live_until(&proposal, ends).await;
        assert_eq!(post.mailbox.letters().len(), letters, "{conduct:?}");
        scene.restart().await;
        scene.pass_machine(Duration::from_hours(1));
        scene.quiet().await;
        assert_eq!(post.mailbox.letters().len(), letters, "{conduct:?}: and not later either");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_letter_that_may_have_gone_when_the_process_died_is_never_sent_again() {
    for (point, letters) in [(FailPoint::Counted, 0), (FailPoint::Answered, 1)] {
        let post = Post::open().await;
        let mut scene = Scene::new(post.wish()).await;
        let reached = scene.engine().stand_still_at(point);
        let proposal = letter(&scene).await;
        reached.await.unwrap();
        scene.restart().await;
        scene.live_until(&proposal, ProposalState::InDoubt).await;
        assert_eq!(post.mailbox.letters().len(), letters, "{point:?}");
        scene.quiet().await;
        assert_eq!(scene.case_of(&proposal).await["state"], "needs_person", "{point:?}: a person looks");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_letter_that_surely_did_not_go_when_the_process_died_goes_out_after() {
    let post = Post::open().await;
    let mut scene = Scene::new(post.wish()).await;
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let proposal = letter(&scene).await;
    reached.await.unwrap();
    scene.restart().await;
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(post.mailbox.letters().len(), 1);
}

#[tokio::test]
async fn without_a_mail_server_letters_wait_and_say_for_what() {
    let mut scene = Scene::new(Wish::default()).await;
    let proposal = letter(&scene).await;
    let waits = async || {
        let held = scene.execution(&proposal).await;
        held.is_some_and(|held| held.waiting_for.is_some_and(|what| what.contains("mail server")))
    };
    scene.until("it waits", waits).await;
    let post = Post::open().await;
    scene.wish = post.wish();
    scene.restart().await;
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(post.mailbox.letters().len(), 1);
}

#[tokio::test]
async fn what_a_mail_server_says_stands_nowhere_in_the_open() {
    use Misbehaviour::{Greylist, RefuseRecipients};
    for (conduct, words, code) in
        [(RefuseRecipients, "no such mailbox", "smtp_550"), (Greylist, "come back later", "451 4.7.1")]
    {
        let post = Post::open().await;
        let scene = Scene::new(post.wish()).await;
        post.conduct.set(conduct);
        let proposal = letter(&scene).await;
        let answered = async || {
            let held = scene.execution(&proposal).await;
            held.is_some_and(|held| held.outcome_at.is_some() || held.waiting_for.is_some())
        };
        scene.until("the server has answered", answered).await;
        scene.quiet().await;
        assert!(!scene.shows(words), "{conduct:?}");
        let held = scene.execution(&proposal).await.unwrap();
        let told = held.outcome_code.into_iter().chain(held.waiting_for).any(|text| text.contains(code));
        assert!(told, "{conduct:?}: the code is there for whoever mends it");
        if conduct == RefuseRecipients {
            assert!(scene.why(&proposal).await.contains(words), "and the words for whoever may read them");
        }
    }
}
