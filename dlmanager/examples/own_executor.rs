//! Hosts the manager on an executor that is none of the known ones: `cargo run --features smol --example own_executor --
//! FOLDER URL...`
//!
//! All that is asked of it is to run a task: the manager brings its timers, and smol's reactor, which runs beside any
//! executor, the sockets.

use std::error::Error;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use dlmanager::{DownloadManager, Task};

/// A thread that polls the tasks that were woken, one after the other.
#[derive(Clone)]
struct Executor(Sender<Arc<Job>>);

struct Job {
    /// Gone when it has ended.
    task: Mutex<Option<Task>>,
    executor: Executor,
}

impl Executor {
    fn new() -> Self {
        let (queue, woken) = mpsc::channel::<Arc<Job>>();
        thread::spawn(move || woken.into_iter().for_each(Job::poll));
        Self(queue)
    }

    fn spawn(&self, task: Task) {
        Arc::new(Job { task: Mutex::new(Some(task)), executor: self.clone() }).wake();
    }
}

impl Job {
    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &mut *task
            && running.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
        {
            *task = None;
        }
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        let executor = self.executor.clone();
        // It fails only where the thread has panicked.
        let _ = executor.0.send(self);
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let executor = Executor::new();
    let (done, result) = mpsc::channel();
    let (host, arguments) = (executor.clone(), arguments.collect());
    executor.spawn(Box::pin(async move {
        let _ = done.send(fetch(host, arguments).await);
    }));
    result.recv()?
}

async fn fetch(executor: Executor, arguments: Vec<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (folder, urls) = arguments.split_first().ok_or("a folder is needed")?;
    let manager = DownloadManager::builder(folder).open_on(move |task| executor.spawn(task)).await?;
    for url in urls {
        let file = manager.download(url)?.await?;
        println!("{} has {} bytes", file.path.display(), file.length);
    }
    Ok(manager.close().await?)
}
