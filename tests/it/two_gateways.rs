//! One log has one writer.

use crate::support::TestGateway;
use crate::support::vault::answers;

#[tokio::test]
async fn a_second_gateway_on_the_same_folder_refuses_and_the_first_goes_on() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 2).await;
    let (code, said) = gw.refusal();
    assert_eq!(code, 1, "{said}");
    let data = gw.path().join("data");
    assert!(said.contains(data.to_str().unwrap()), "it names the folder: {said}");
    assert!(said.contains("in use by another gateway") && said.contains("stop the other"), "{said}");
    answers(&gw, 2).await;

    // Nor by another name of the folder.
    std::os::unix::fs::symlink(&data, gw.path().join("alias")).unwrap();
    gw.configure("data_dir = \"data\"", "data_dir = \"alias\"");
    let (code, said) = gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("in use by another gateway"), "{said}");
    answers(&gw, 2).await;
    assert_eq!(gw.verify().0, 0);

    // The end of the first, however sudden, leaves the folder free.
    gw.kill();
    gw.serve().unwrap();
    answers(&gw, 1).await;
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}
