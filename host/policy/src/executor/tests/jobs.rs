//! Background functions and their engines.

use super::*;

fn job(name: &str) -> Call {
    Call::Background { name: name.into(), deadline: LONG }
}

#[tokio::test]
async fn a_background_function_comes_back_to_its_engine() {
    let setup = setup(3, LONG);
    let homes = [text(setup.executor.call(job("one")).await), text(setup.executor.call(job("two")).await)];
    assert_ne!(homes[0], homes[1], "they are spread");
    for _ in 0..20 {
        // Requests take whichever is on top.
        text(setup.run("which").await);
        let calls = [setup.executor.call(job("two")), setup.executor.call(job("one"))];
        let [two, one] = calls;
        assert_eq!((text(one.await), text(two.await)), (homes[0].clone(), homes[1].clone()));
    }
}

#[tokio::test]
async fn it_waits_for_a_request_but_not_for_another_background_function() {
    let setup = setup(2, LONG);
    let home = text(setup.executor.call(job("one")).await);
    // A request has its engine, which is on top.
    let mut request = Box::pin(setup.run("wait"));
    assert!(futures_pending(&mut request).await);
    let mut run = Box::pin(setup.executor.call(job("one")));
    assert!(futures_pending(&mut run).await);
    setup.doors.gate.notify_one();
    text(request.await);
    assert_eq!(text(run.await), home);

    // Both engines become home to somebody; then one of them is taken for long by a third.
    let second = text(setup.executor.call(job("two")).await);
    let mut long = Box::pin(setup.executor.call(job("long")));
    assert!(futures_pending(&mut long).await);
    let moved = [text(setup.executor.call(job("one")).await), text(setup.executor.call(job("two")).await)];
    assert_eq!(moved[0], moved[1], "one of them had to move: {home} {second}");
    setup.doors.gate.notify_one();
    text(long.await);
}

#[tokio::test]
async fn nobody_waits_for_an_engine_that_is_lost() {
    let setup = setup(2, LONG);
    setup.doors.broken.store(true, Ordering::SeqCst);
    text(setup.executor.call(job("one")).await);
    assert!(setup.executor.call(job("spoil")).await.is_err());
    assert!(setup.executor.call(job("one")).await.is_ok());
    assert!(setup.executor.call(job("spoil")).await.is_err(), "on the one that is left");
}

/// Whether it is not over after its call had every chance to begin.
async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::from_millis(100), future).await.is_err()
}
