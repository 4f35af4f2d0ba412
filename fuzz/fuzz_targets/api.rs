//! Bodies of the HTTP API, at every route that takes one, through the whole router with an engine behind it. The first byte
//! says which route and who asks. No body is an error of ours; what is refused is refused with a code and with words that name
//! none of our types; what is no JSON object is never taken; the same request under the same key comes to the same; and nobody
//! gets more of a charge than it took.
#![no_main]

use std::cell::RefCell;

use bursar_fuzz::desk::Desk;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

thread_local! {
    static DESK: RefCell<Option<(Desk, u32)>> = const { RefCell::new(None) };
}

/// The database grows: now and then there is a new one.
const REQUESTS_A_DESK: u32 = 20_000;

fuzz_target!(
    init: bursar_fuzz::seeds(seeds()),
    |bytes: &[u8]| {
        let Some((which, body)) = bytes.split_first() else { return };
        DESK.with_borrow_mut(|held| {
            if held.as_ref().is_none_or(|(_, asked)| *asked > REQUESTS_A_DESK) {
                *held = None;
                *held = Some((Desk::open(), 0));
            }
            let (desk, asked) = held.as_mut().expect("open");
            *asked += 1;
            ask(desk, usize::from(*which), body, *asked);
        });
    }
);

fn ask(desk: &Desk, which: usize, body: &[u8], number: u32) {
    let key = format!("fuzz-{number}");
    // A charge that there is, where one is named: its id is another one at every desk.
    let real = std::str::from_utf8(body).map(|text| text.replace("ch_1", desk.charge())).ok();
    let body = real.as_deref().map_or(body, str::as_bytes);
    let (status, answer) = desk.post(which, &key, body);
    assert!(status < 500, "{status}: {answer}");
    let is_object =
        body.is_empty() || serde_json::from_slice::<Value>(body).is_ok_and(|value| value.is_object());
    if status < 300 {
        assert!(is_object, "taken although it is no JSON object: {answer}");
    } else {
        refused(&answer["error"]);
    }
    let (again, repeated) = desk.post(which, &key, body);
    assert_eq!(again / 100, status / 100, "{answer}\n{repeated}");
    assert!((0..=64_000).contains(&desk.refunded()));
}

fn refused(error: &Value) {
    let text = |field: &str| error[field].as_str().unwrap_or_default();
    assert!(!text("code").is_empty() && !text("message").is_empty(), "{error}");
    assert!(text("param").chars().count() <= 60, "{error}");
    assert!(
        !text("message").contains("struct ") && !text("message").contains("Body"),
        "a type of ours: {error}"
    );
}

fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        "{\"charge\":\"ch_1\",\"amount\":10,\"currency\":\"usd\",\"reason\":\"duplicate\"}",
        "{\"digest\":\"00\",\"reason\":\"looked at it\"}",
        "{\"scope\":\"all\",\"reason\":\"x\"}",
        "{\"playbook\":\"recovery\",\"mode\":\"assist\"}",
        "{\"customer\":\"cus_1\"}",
        "{\"since_s\":1790000000}",
        "{\"happened\":true,\"object\":\"re_1\",\"reason\":\"seen\"}",
        "{\"although_incomplete\":false}",
        "{\"amount\":\"10\",\"amount\":1.5}",
        "[1]",
        "{}",
    ];
    let of = |which: u8| bodies.iter().map(move |body| [&[which], body.as_bytes()].concat());
    (0..20).flat_map(of).collect()
}
