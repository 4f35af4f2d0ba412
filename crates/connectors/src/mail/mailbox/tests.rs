use std::io::Write;

use bursar_domain::time::BusinessTime;

use super::*;
use crate::mail::received::Envelope;

fn letter(subject: &str) -> ReceivedMail {
    let bytes = format!(
        "From: a@example.com\r\nMessage-ID: <same@example.com>\r\nSubject: {subject}\r\n\r\nwords\r\n"
    );
    let envelope = Envelope { from: "a@example.com".to_owned(), to: vec!["b@example.com".to_owned()] };
    ReceivedMail::read(envelope, BusinessTime::from_unix_s(7), bytes.as_bytes())
}

fn subjects(mailbox: &Mailbox) -> Vec<String> {
    mailbox.letters().iter().map(|letter| letter.subject.clone()).collect()
}

fn few(letters: usize) -> Capacity {
    Capacity { letters, ..Capacity::default() }
}

#[test]
fn a_restart_resumes_letters_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    let mailbox = Mailbox::open(&path, Capacity::default()).unwrap();
    mailbox.keep(letter("one")).unwrap();
    mailbox.keep(letter("zwei – ü")).unwrap();
    let before = mailbox.letters();
    drop(mailbox);

    let resumed = Mailbox::open(&path, Capacity::default()).unwrap();
    assert_eq!(resumed.letters(), before);
    assert_eq!(resumed.keep(letter("three")).unwrap(), 3);
    assert_eq!(resumed.letter(3).unwrap().subject, "three");
    assert_eq!(*resumed.newest().borrow(), 3);
}

#[test]
fn a_torn_tail_costs_only_the_letter_that_was_never_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    let mailbox = Mailbox::open(&path, Capacity::default()).unwrap();
    mailbox.keep(letter("one")).unwrap();
    mailbox.keep(letter("two")).unwrap();
    drop(mailbox);
    let whole = std::fs::read(&path).unwrap();

    // Every place where a crash could have cut the second line.
    let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [first_line + 1, whole.len() - 20, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let resumed = Mailbox::open(&path, Capacity::default()).unwrap();
        assert_eq!(subjects(&resumed), ["one"], "cut at {cut}");
        resumed.keep(letter("after")).unwrap();
        let again = Mailbox::open(&path, Capacity::default()).unwrap();
        assert_eq!(subjects(&again), ["one", "after"], "cut at {cut}");
    }
}

#[test]
fn a_spoiled_line_in_the_middle_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    Mailbox::open(&path, Capacity::default()).unwrap().keep(letter("one")).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"number\": \xff}\n").unwrap();
    assert_eq!(Mailbox::open(&path, Capacity::default()).unwrap().keep(letter("two")).unwrap(), 2);
    assert_eq!(subjects(&Mailbox::open(&path, Capacity::default()).unwrap()), ["one", "two"]);
}

#[test]
fn the_oldest_make_room_in_memory_and_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    let mailbox = Mailbox::open(&path, few(3)).unwrap();
    for number in 1..=110 {
        mailbox.keep(letter(&format!("no {number}"))).unwrap();
    }
    assert_eq!(subjects(&mailbox), ["no 108", "no 109", "no 110"]);
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!((3..=100).contains(&lines), "{lines} lines on disk");
    assert_eq!(subjects(&Mailbox::open(&path, few(2)).unwrap()), ["no 109", "no 110"]);
}

#[test]
fn heavy_letters_push_out_more_but_never_themselves() {
    let mailbox = Mailbox::in_memory(Capacity { letters: 10, bytes: 600 });
    for subject in ["a", "b", &"c".repeat(1000)] {
        mailbox.keep(letter(subject)).unwrap();
    }
    assert_eq!(subjects(&mailbox), ["c".repeat(1000)]);
}

#[test]
fn repeats_are_kept_because_they_must_be_seen() {
    let mailbox = Mailbox::in_memory(Capacity::default());
    mailbox.keep(letter("same")).unwrap();
    mailbox.keep(letter("same")).unwrap();
    assert_eq!(mailbox.letters().len(), 2);
    assert_eq!(mailbox.letters()[0].message_id, mailbox.letters()[1].message_id);
}

#[test]
fn what_cannot_be_written_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::in_memory(Capacity::default());
    mailbox.lock().journal = Some(Journal::broken(&folder.path().join("mailbox.jsonl")).unwrap());
    assert!(mailbox.keep(letter("lost")).is_err());
    assert!(mailbox.letters().is_empty());
    assert_eq!(*mailbox.newest().borrow(), 0);
}

#[cfg(unix)]
#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    Mailbox::open(&path, Capacity::default()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
