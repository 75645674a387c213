//! The second place: when the newest checkpoint does not reach it, operators see that and callers
//! are served.

use crate::disk::{Mount, empty, fill};
use crate::support::vault::answers;
use crate::support::{TestGateway, until};

#[tokio::test]
async fn a_checkpoint_that_does_not_reach_the_second_place_is_told_until_one_does() {
    let mut gw = TestGateway::prepare().await;
    let disk = Mount::memory(gw.path().join("second-place"), 1);
    fill(&disk);
    gw.serve().unwrap();
    answers(&gw, 1).await;
    until("the failure is told", async || told(&gw, false, "0").await).await;
    assert!(gw.log().contains("the copy of the newest checkpoint cannot be written"), "{}", gw.log());

    empty(&disk);
    answers(&gw, 1).await;
    until("the recovery is told", async || told(&gw, true, "1").await).await;
    let (code, said) = gw.verify_with(&["--checkpoint", "second-place/checkpoint"]);
    assert_eq!(code, 0, "{said}");
}

/// Do `/readyz`, which stays 200, and the measurement say so?
async fn told(gw: &TestGateway, copied: bool, measured: &str) -> Option<()> {
    let (status, body) = gw.ops("/readyz").await;
    assert_eq!(status, 200, "{body}");
    let ready: serde_json::Value = serde_json::from_str(&body).unwrap();
    let (_, text) = gw.ops("/metrics").await;
    let line = format!("sluice_audit_checkpoint_copied {measured}");
    (ready["log_copied"] == copied && text.lines().any(|l| l == line)).then_some(())
}
