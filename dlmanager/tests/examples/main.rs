//! The examples, run as their users would: each fetches true bytes and ends in time.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dlmanager_origin::{Body, Origin, Reply};

macro_rules! examples {
    ($($(#[$when:meta])* $name:ident = $path:literal,)*) => {
        $(
            $(#[$when])*
            #[allow(dead_code, reason = "`main` is for who runs it by hand")]
            #[path = $path]
            mod $name;
        )*
    };
}

examples! {
    awaited_on_tokio = "../../examples/tokio.rs",
    hosted_on_tokio = "../../examples/hosted.rs",
    #[cfg(feature = "smol")]
    hosted_on_smol = "../../examples/smol.rs",
    blocking = "../../examples/blocking.rs",
    #[cfg(feature = "smol")]
    own_executor = "../../examples/own_executor.rs",
    own_transport = "../../examples/own_transport.rs",
    own_store = "../../examples/own_store.rs",
    shared_transport = "../../examples/shared_transport.rs",
}

const DEADLINE: Duration = Duration::from_secs(20);
const LENGTH: u64 = 300_000;

/// Runs an example, whose errors are those of the test.
fn within<E: ToString>(example: impl FnOnce() -> Result<(), E> + Send + 'static) {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(example().map_err(|error| error.to_string())));
    result.recv_timeout(DEADLINE).expect("it ends in time, without a panic").unwrap();
}

/// Runs an example with a folder, what else it wants, and so many URLs; looks at the files.
fn fetches<E: ToString>(
    files: u64,
    options: &[&str],
    example: impl FnOnce(std::vec::IntoIter<String>) -> Result<(), E> + Send + 'static,
) {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let mut arguments = vec![folder.path().to_str().unwrap().to_owned()];
    arguments.extend(options.iter().map(ToString::to_string));
    let body = |number| Body::pattern(number, LENGTH);
    for number in 0..files {
        origin.serve(&format!("/{number}.bin"), Reply::body(body(number)));
        arguments.push(origin.url(&format!("/{number}.bin")));
    }
    within(move || example(arguments.into_iter()));
    for number in 0..files {
        let file = std::fs::File::open(folder.path().join(format!("{number}.bin"))).unwrap();
        assert_eq!(body(number).compare(file).unwrap(), None);
    }
    assert_eq!(visible(folder.path()), usize::try_from(files).unwrap());
}

fn visible(folder: &Path) -> usize {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.as_encoded_bytes().starts_with(b".")).count()
}

/// Without arguments an example says what it wants.
fn asks_for_a_folder<E: ToString>(example: impl FnOnce(std::vec::IntoIter<String>) -> Result<(), E>) {
    assert_eq!(
        example(Vec::new().into_iter()).map_err(|error| error.to_string()),
        Err("a folder is needed".to_owned())
    );
}

#[test]
fn tokio_awaits() {
    let run = |arguments| {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(awaited_on_tokio::run(arguments))
    };
    fetches(1, &[], run);
    asks_for_a_folder(run);
}

#[test]
fn tokio_hosts() {
    let run = |arguments| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(hosted_on_tokio::run(arguments))
    };
    fetches(3, &[], run);
    asks_for_a_folder(run);
}

#[cfg(feature = "smol")]
#[test]
fn smol_hosts() {
    let run = |arguments| smol::block_on(hosted_on_smol::run(arguments));
    fetches(3, &[], run);
    asks_for_a_folder(run);
}

#[test]
fn a_blocking_main_needs_no_async() {
    fetches(3, &[], blocking::run);
    asks_for_a_folder(blocking::run);
}

#[cfg(feature = "smol")]
#[test]
fn an_executor_of_ones_own_hosts() {
    fetches(3, &[], own_executor::run);
    asks_for_a_folder(own_executor::run);
}

#[test]
fn a_transport_of_ones_own_is_fetched_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    within(move || own_transport::run(&path));
    assert_eq!(std::fs::read(folder.path().join("a.txt")).unwrap(), b"alpha");
    assert_eq!(std::fs::read(folder.path().join("b.txt")).unwrap(), b"beta");
    assert_eq!(visible(folder.path()), 2);
}

#[test]
fn a_store_of_ones_own_is_written_to() {
    let began = Instant::now();
    fetches(1, &["1000000"], own_store::run);
    assert!(began.elapsed() >= Duration::from_secs_f64(LENGTH as f64 / 1e6), "at its rate: {:?}", began.elapsed());
    asks_for_a_folder(own_store::run);
}

#[test]
fn fetches_share_a_transport() {
    fetches(3, &[], shared_transport::run);
    asks_for_a_folder(shared_transport::run);
}
