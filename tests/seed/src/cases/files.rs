//! What becomes of a file: what is left of one that ended early, what a reply must be, how it gets its name.

use std::future::IntoFuture;

use dlmanager::core::{Fault, FaultKind, FileKind, FileOp};
use dlmanager::{DownloadError, Error, How, IfPresent, Published, Resume};
use dlmanager_origin::{At, Cut, Ended, Gate, Reply, Resource};

use crate::bench::{Bench, observer, pattern, start};
use crate::place::TEN;
use crate::program;
use crate::setting::{Backend, Setting};
use crate::store::{is_first_write, watch};
use crate::wait::{DEADLINE, close, end, is_ready, receive};

pub(super) fn n23_what_ended_early_changes_no_file(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put("replaced", b"old");
    bench.place.put("other", b"mine");
    let body = pattern("/a", 300_000);
    let stalled = Reply::body(body.clone()).stall_at(At::Body(200_000));
    let cut = Reply::body(body).cut_at(At::Body(200_000), Cut::Fin);
    for (path, reply) in [("/canceled", stalled.clone()), ("/failed", cut.clone())] {
        bench.origin.serve(path, reply);
    }
    bench.origin.script("/replaced", vec![stalled, cut]);
    let (written, hook) = watch(is_first_write);
    let manager = bench.hooked(hook).retries(0).open().unwrap();
    let replace = |path: &str| {
        let request = manager.request(bench.origin.url(path)).if_present(IfPresent::Replace);
        let download = request.start().unwrap();
        receive(&written);
        download
    };
    for path in ["/canceled", "/replaced"] {
        let canceled = replace(path);
        canceled.cancel().unwrap();
        assert_eq!(end(&canceled), Err(Error::Canceled));
        bench.place.assert_holds(&[("replaced", b"old"), ("other", b"mine")]);
    }
    for path in ["/failed", "/replaced"] {
        let failed = end(&replace(path));
        assert!(matches!(failed, Err(Error::Failed(_))), "{path}: {failed:?}");
        bench.place.assert_holds(&[("replaced", b"old"), ("other", b"mine")]);
    }
    close(&manager);
    assert_eq!(bench.place.everything(), ["other", "replaced"]);

    for resume in [Resume::Never, Resume::AcrossRuns] {
        what_a_failed_one_has_is_kept_where_it_is_to_be_gone_on_with(setting, resume);
    }
}

fn what_a_failed_one_has_is_kept_where_it_is_to_be_gone_on_with(setting: &Setting, resume: Resume) {
    const LENGTH: u64 = 3_000_000;
    const CUT: u64 = 2_000_000;
    let bench = Bench::new(setting);
    let resource = Resource::new(23, LENGTH);
    bench.origin.script("/a", vec![resource.reply(1).cut_at(At::Body(CUT), Cut::Fin), resource.reply(1)]);
    let open = || bench.builder().resume(resume).retries(0).open().unwrap();
    let manager = open();
    end(&start(&manager, &bench.origin.url("/a"))).unwrap_err();
    close(&manager);
    bench.place.assert_visible(&[]);
    let keeps = resume == Resume::AcrossRuns;
    assert_eq!(bench.place.unfinished().len(), if keeps { 2 } else { 0 }, "the bytes, and what they are");

    let manager = open();
    let (told, observer) = observer();
    end(&manager.request(bench.origin.url("/a")).progress(observer).start().unwrap()).unwrap();
    close(&manager);
    bench.place.assert_holds(&[("a", &resource.body(1).to_vec())]);
    let seen = bench.origin.records();
    let from = if keeps { CUT } else { 0 };
    assert_eq!(seen.requests[1].header("Range"), keeps.then(|| format!("bytes={CUT}-")).as_deref());
    assert_eq!(told.values().first(), Some(&(from, Some(LENGTH))), "progress begins with what was kept");
    let sent = bench.origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some()));
    let sent = sent.unwrap_or_else(|late| panic!("{late}")).requests[1].sent.unwrap();
    assert_eq!(
        (sent.ended, sent.body_bytes),
        (Ended::Whole, LENGTH - from),
        "a 206 is taken where a part was asked for"
    );
}

pub(super) fn n24_what_is_unfinished_is_hidden(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    let body = pattern("/a", 300_000);
    bench.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(200_000), &gate));
    let (written, hook) = watch(is_first_write);
    let manager = bench.hooked(hook).open().unwrap();
    let download = manager.request(bench.origin.url("/a")).name("sub/a").start().unwrap();
    receive(&written);
    assert_eq!(bench.place.names(), [""; 0]);
    let [unfinished] = bench.place.unfinished().try_into().unwrap();
    let bytes = bench.place.read(&unfinished).unwrap();
    assert!(!bytes.is_empty() && body.to_vec().starts_with(&bytes), "the bytes are there, in {unfinished}");
    gate.open();
    end(&download).unwrap();
    close(&manager);
    bench.place.assert_holds(&[("sub/a", &body.to_vec())]);
    assert_eq!(bench.place.everything(), ["sub", "sub/a"]);
}

pub(super) fn n25_error_bodies_are_not_read(setting: &Setting) {
    const LENGTH: u64 = 1 << 30;
    let bench = Bench::new(setting);
    bench.origin.serve("/a", Reply::body(pattern("/a", LENGTH)).status(404));
    let (written, hook) = watch(|op| matches!(op, FileOp::Write { .. }));
    let manager = bench.hooked(hook).retries(0).open().unwrap();
    let error = end(&start(&manager, &bench.origin.url("/a"))).unwrap_err();
    assert_eq!(error, Error::Failed(DownloadError::Status { status: 404 }));
    let ended = bench.origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some()));
    let sent = ended.unwrap_or_else(|late| panic!("{late}")).requests[0].sent.unwrap();
    assert!(sent.ended == Ended::ClientLeft && sent.body_bytes < LENGTH, "{sent:?}");
    close(&manager);
    assert!(written.try_recv().is_err(), "nothing of it is written");
    assert_eq!(bench.place.everything(), [""; 0]);
}

pub(super) fn n26_only_200_is_a_file(setting: &Setting) {
    let bench = Bench::new(setting);
    let manager = bench.open_without_retries();
    for (status, reply) in [
        (201, Reply::body(TEN)),
        (202, Reply::body(TEN)),
        (203, Reply::body(TEN)),
        (204, Reply::body("").framed_by_hand()),
        (205, Reply::body("")),
        (206, Reply::body(TEN).header("Content-Range", "bytes 0-9/10")),
        (226, Reply::body(TEN)),
        (300, Reply::body(TEN)),
        (304, Reply::body("").framed_by_hand()),
        (400, Reply::body(TEN)),
        (500, Reply::body(TEN)),
    ] {
        bench.origin.serve("/a", reply.status(status));
        let error = end(&start(&manager, &bench.origin.url("/a"))).unwrap_err();
        assert_eq!(error, Error::Failed(DownloadError::Status { status }));
    }
    bench.place.assert_holds(&[]);
    bench.origin.serve("/a", Reply::body(""));
    bench.download(&manager, "/a");
    close(&manager);
    bench.place.assert_holds(&[("a", b"")]);
}

pub(super) fn n27_twenty_redirects_are_followed(setting: &Setting) {
    let bench = Bench::new(setting);
    let manager = bench.open_without_retries();
    let bytes = bench.serve("/hop/0", 10_000);
    for hop in 1..=21 {
        bench.origin.serve(&format!("/hop/{hop}"), Reply::redirect(302, &format!("/hop/{}", hop - 1)));
    }
    let follow = |hops: u32| {
        let request = manager.request(bench.origin.url(&format!("/hop/{hops}"))).name(format!("{hops}"));
        end(&request.start().unwrap())
    };
    let file = follow(20).unwrap();
    assert_eq!((file.requests, file.url.as_str()), (21, &*bench.origin.url("/hop/0")));
    let error = follow(21).unwrap_err();
    assert_eq!(error, Error::Failed(DownloadError::TooManyRedirects { redirects_max: 20 }));
    close(&manager);
    bench.place.assert_holds(&[("20", &bytes)]);
}

pub(super) fn n28_a_short_body_is_an_error(setting: &Setting) {
    let bench = Bench::new(setting);
    let body = pattern("/a", 1000);
    let manager = bench.open_without_retries();
    let ended = |reply: Reply| {
        bench.origin.serve("/a", reply);
        end(&start(&manager, &bench.origin.url("/a")))
    };
    for reply in [
        Reply::body(body.clone()).cut_at(At::Body(600), Cut::Fin),
        Reply::body(body.clone()).content_length(1001),
        Reply::body(body.clone()).cut_at(At::Body(0), Cut::Fin),
        Reply::body(body.clone()).chunked(&[100]).cut_at(At::Body(600), Cut::Fin),
        Reply::body(body.clone()).chunked(&[100]).cut_at(At::Body(1000), Cut::Fin),
        Reply::body(body.clone()).cut_at(At::Body(999), Cut::Reset),
    ] {
        let failed = ended(reply.clone());
        assert!(matches!(failed, Err(Error::Failed(_))), "{reply:?}: {failed:?}");
        bench.place.assert_holds(&[]);
    }
    let file = ended(Reply::body(body.clone()).until_close()).unwrap();
    assert!(file.length_unverified, "without a length the end of the connection is the end, and that is told");
    close(&manager);
    bench.place.assert_holds(&[("a", &body.to_vec())]);
}

pub(super) fn n29_a_failed_rename_is_an_error(setting: &Setting) {
    // The name is taken meanwhile by what cannot be replaced.
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.origin.serve("/a", Reply::body(TEN).gate_at(At::Body(5), &gate));
    let manager = bench.open_without_retries();
    let download = manager.request(bench.origin.url("/a")).if_present(IfPresent::Replace).start().unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    bench.place.put_folder("a");
    gate.open();
    let error = end(&download).unwrap_err();
    assert!(matches!(error.kind(), "publish" | "not-a-file"), "{error}");
    close(&manager);
    assert_eq!((bench.place.everything(), bench.place.kind("a")), (vec!["a".to_owned()], Some(FileKind::Folder)));

    // The system refuses.
    let bench = Bench::new(setting);
    bench.origin.serve("/a", Reply::body(TEN));
    let refuse = |inner: &dyn dlmanager::Store, action: dlmanager::core::FileAction| match action.op {
        FileOp::Rename { .. } => action.fail(Fault::new(FaultKind::Denied)),
        _ => inner.execute(action),
    };
    let manager = bench.hooked(refuse).retries(0).open().unwrap();
    let error = end(&start(&manager, &bench.origin.url("/a"))).unwrap_err();
    let fault = Fault::new(FaultKind::Denied);
    assert_eq!(error, Error::Failed(DownloadError::Publish { fault, published: Published::No }));
    close(&manager);
    assert_eq!(bench.place.everything(), [""; 0]);
}

pub(super) fn n30_a_file_that_appears_meanwhile_is_left_alone(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.place.put("replaced", b"old");
    for path in ["/skipped", "/replaced"] {
        bench.origin.serve(path, Reply::body(TEN).gate_at(At::Body(5), &gate));
    }
    let manager = bench.open();
    let skipped = start(&manager, &bench.origin.url("/skipped"));
    let replaced = manager.request(bench.origin.url("/replaced")).if_present(IfPresent::Replace).start().unwrap();
    assert!(gate.wait_reached(2, DEADLINE));
    bench.place.put("skipped", b"mine");
    bench.place.assert_visible(&[("skipped", b"mine"), ("replaced", b"old")]);
    gate.open();
    let file = end(&skipped).unwrap();
    assert_eq!((file.how, file.length), (How::Present, 4));
    let file = end(&replaced).unwrap();
    assert_eq!((file.how, file.length), (How::Fetched, 10));
    close(&manager);
    bench.place.assert_holds(&[("skipped", b"mine"), ("replaced", TEN)]);
}

pub(super) fn n31_the_mode_is_that_of_any_new_file(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put("ordinary", b"");
    bench.origin.serve("/a", Reply::body(TEN));
    let manager = bench.open();
    bench.download(&manager, "/a");
    close(&manager);
    // What a new file gets is 0666 less the umask, which a test that shares its process cannot set.
    assert_eq!(mode(&bench, "a"), mode(&bench, "ordinary"));
    assert_eq!(mode(&bench, "a") & !0o666, 0);
}

#[cfg(unix)]
fn mode(bench: &Bench, name: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(bench.place.path().join(name)).unwrap().permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &Bench, name: &str) -> u32 {
    panic!("{name} has no mode on this system")
}

pub(super) fn n32_who_leaves_cancels(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.origin.serve("/whole", Reply::body(TEN));
    bench.origin.serve("/stalled", Reply::body(pattern("/stalled", 300_000)).stall_at(At::Body(200_000)));
    let (written, hook) = watch(is_first_write);
    let manager = bench.hooked(hook).open().unwrap();
    bench.download(&manager, "/whole");
    receive(&written);
    let stalled = start(&manager, &bench.origin.url("/stalled"));
    receive(&written);
    drop(stalled.clone());
    assert!(stalled.is_running() && !stalled.is_canceled(), "dropping a handle cancels nothing");
    let clone = manager.clone();
    drop(manager);
    assert!(!is_ready(stalled.clone()), "nor does dropping a clone of the manager");
    drop(clone);
    assert_eq!(end(&stalled), Err(Error::Canceled), "dropping the last one does");
    bench.wait_disconnected();
    bench.place.assert_holds(&[("whole", TEN)]);

    if setting.backend == Backend::Folder {
        program::is_interrupted(setting);
        a_fetch_that_is_dropped_is_canceled(setting);
    }
}

fn a_fetch_that_is_dropped_is_canceled(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.origin.serve("/stalled", Reply::body(pattern("/stalled", 300_000)).stall_at(At::Body(200_000)));
    let fetch = bench.fetch(bench.origin.url("/stalled"), &bench.place.path().join("a"));
    let fetching = smol::spawn(fetch.into_future());
    let asked = bench.origin.wait_for(DEADLINE, |seen| !seen.requests.is_empty());
    asked.unwrap_or_else(|late| panic!("{late}"));
    assert_eq!(smol::block_on(fetching.cancel()).map(|ended| ended.is_ok()), None, "it has not ended by itself");
    bench.wait_disconnected();
    bench.place.assert_visible(&[]);
}
