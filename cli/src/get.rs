//! `dlmanager get`

use dlmanager::{
    Builder, DownloadManager, Durability, IfPresent, IoRuntime, OpenError, Resume, SharedTransport, TlsConfig,
    TlsConfigBuilder,
};

use crate::args::{self, GetArgs};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::misuse::Misuse;
use crate::open::open;
use crate::plan::{Job, plan};
use crate::report::{Output, Report};
use crate::run::Run;
use crate::text;

pub(crate) fn get(args: &GetArgs) -> Result<Exit, Misuse> {
    let interrupt = Interrupt::install().map_err(|error| Misuse::new(format!("cannot listen to signals: {error}")))?;
    let jobs = plan(args)?;
    let tls = tls(args)?;
    let network = network(args, &tls).map_err(|error| Misuse::new(format!("--network-threads: {error}")))?;
    let builder = builder(args, tls);
    let manager = open(match &network {
        Some(network) => builder.shared_transport(network),
        None => builder,
    })?;
    let mut report = Report::new(if args.json { Output::Json } else { Output::Paths }, args.quiet, jobs.len());
    report.bounds_are_aside();
    report.bounds(matches!(args.limit.size_limit, Some(1..)), &args.limit.bounds);
    let mut run = Run::new(&manager, &interrupt, interruption(args.resume));
    for job in &jobs {
        if run.is_interrupted(&mut report) {
            break;
        }
        start(job, args, &manager, &mut run, &mut report);
    }
    let interrupted = run.finish(&mut report);
    let tally = report.tally();
    if jobs.len() != 1 {
        let bytes = text::bytes(tally.fetched_bytes);
        let (fetched, present) = (tally.fetched, tally.present);
        let missing = jobs.len() - fetched - present;
        let evicted = match tally.evicted {
            0 => String::new(),
            evicted => format!("; {evicted} of them evicted again"),
        };
        report.note(&format!("{fetched} fetched ({bytes}), {present} there already, {missing} missing{evicted}"));
    }
    let all_there = tally.fetched + tally.present == jobs.len();
    let told = report.finish();
    Ok(match (interrupted, all_there && told) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Success,
        (false, false) => Exit::Failure,
    })
}

/// What is said on Ctrl-C.
const fn interruption(resume: args::Resume) -> &'static str {
    match resume {
        args::Resume::AcrossRuns => "what is unfinished is kept, and the same command goes on where it stopped",
        args::Resume::Never | args::Resume::WithinRun => "canceling what runs",
    }
}

fn start(job: &Job, args: &GetArgs, manager: &DownloadManager, run: &mut Run<'_>, report: &mut Report) {
    let mut request = manager.request_parsed(job.request.clone()).content_disposition(args.content_disposition);
    request = request.if_present(match args.if_present {
        args::IfPresent::Replace => IfPresent::Replace,
        args::IfPresent::Skip | args::IfPresent::Revalidate => IfPresent::Skip,
    });
    for (name, value) in &args.headers {
        request = request.header(name.clone(), value.clone());
    }
    match request.start() {
        Ok(download) => {
            if let Some(checksum) = job.request.expected() {
                report.asked(download.id(), checksum);
            }
            run.add(download, report);
        }
        Err(error) => report.error(&format!("{job}: {error}")),
    }
}

/// What is wrong with a certificate file is known before anything is fetched.
fn tls(args: &GetArgs) -> Result<TlsConfig, Misuse> {
    let tls = args.ca_files.iter().fold(TlsConfig::builder(), TlsConfigBuilder::ca_file);
    tls.build().map_err(|error| Misuse::new(format!("--cacert: {error}")))
}

/// What carries the bytes, where that is to be done by several threads.
fn network(args: &GetArgs, tls: &TlsConfig) -> Result<Option<SharedTransport>, OpenError> {
    let builder = SharedTransport::builder().runtime(runtime(args)).tls(tls.clone());
    let several = builder.connections_per_host(args.per_host).threads(args.network_threads);
    if args.network_threads > 1 { several.open().map(Some) } else { Ok(None) }
}

const fn runtime(args: &GetArgs) -> IoRuntime {
    match args.transport {
        args::Transport::Hyper => IoRuntime::Tokio,
        args::Transport::Smol => IoRuntime::Smol,
    }
}

fn builder(args: &GetArgs, tls: TlsConfig) -> Builder {
    let mut builder = DownloadManager::builder(&args.dir)
        .jobs(args.jobs)
        .per_host(args.per_host)
        .retries(args.retries)
        .connect_timeout(args.connect_timeout)
        .first_byte_timeout(args.stall_timeout)
        .stall_timeout(args.stall_timeout)
        .durability(match args.durability {
            args::Durability::None => Durability::None,
            args::Durability::Data => Durability::Data,
            args::Durability::Full => Durability::Full,
        })
        .resume(match args.resume {
            args::Resume::Never => Resume::Never,
            args::Resume::WithinRun => Resume::WithinRun,
            args::Resume::AcrossRuns => Resume::AcrossRuns,
        })
        .runtime(runtime(args))
        .tls(tls)
        .redact_queries(args.redact_queries)
        .adopt(args.limit.adopt);
    if let Some(timeout) = args.timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(bytes_max) = args.max_file_size {
        builder = builder.file_bytes_max(bytes_max);
    }
    if let Some(limit) = args.limit.limit() {
        builder = builder.persist_limit(limit);
    }
    builder
}
