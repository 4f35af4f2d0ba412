//! A lane that a kill switch stops: events are kept, nothing else is done, and all of it is made up for afterwards.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_engine::IngestAnswer;

use crate::scene::{Scene, Wish};

async fn decisions(scene: &Scene, invoice: &str) -> usize {
    let cases = scene.cases(invoice).await;
    cases.iter().map(|case| case["decisions"].as_array().unwrap().len()).sum()
}

#[tokio::test]
async fn events_are_kept_and_wait_for_the_switch_to_be_reset() {
    for scope in ["lane", "all"] {
        let mut scene = Scene::new(Wish::default()).await;
        let scope = match scope {
            "lane" => format!("lane:{}/test", scene.stage.stripe.account_id()),
            other => other.to_owned(),
        };
        let known = scene.stage.failed_invoice("insufficient_funds");
        scene.deliver(&known.event).await.unwrap();
        scene.until("its case", async || decisions(&scene, &known.invoice).await == 1).await;
        scene.quiet().await;

        scene.engine().kill(&Actor::Engine, &scope, "drill").await.unwrap();
        let late = scene.stage.failed_invoice("insufficient_funds");
        let reads = scene.stage.gate.reads();
        assert_eq!(scene.deliver(&late.event).await.unwrap(), IngestAnswer::Accepted, "{scope}");
        // Whatever the case of before planned next falls due meanwhile.
        scene.pass_business(Duration::from_hours(24 * 20));
        scene.until("the event waits", async || scene.engine().health().await.unwrap().queue.held >= 2).await;
        scene.quiet().await;
        assert!(scene.engine().event(late.event["id"].as_str().unwrap()).await.is_ok(), "it is kept");
        assert_eq!(decisions(&scene, &known.invoice).await, 1, "{scope}: nothing is decided");
        assert!(scene.cases(&late.invoice).await.is_empty(), "{scope}: nothing is looked at");
        assert!(!scene.mirrors("invoice", &late.invoice).await, "{scope}: nothing is mirrored");
        assert_eq!(scene.stage.gate.reads(), reads, "{scope}: nothing is read");
        // Also over a restart.
        scene.restart().await;
        scene.quiet().await;
        assert!(scene.cases(&late.invoice).await.is_empty(), "{scope}");

        scene.engine().revive(&Actor::Engine, &scope).await.unwrap();
        scene.until("what waited is decided", async || decisions(&scene, &late.invoice).await > 0).await;
        scene.until("and the timer", async || decisions(&scene, &known.invoice).await > 1).await;
        scene.quiet().await;
        assert_eq!(scene.engine().health().await.unwrap().queue.held, 0);
        scene.assert_audit().await;
    }
}
