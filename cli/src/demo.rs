//! `dlmanager demo`: the whole job against an origin on loopback, and a table that says whether it went as it should.
//!
//! What the table shows is computed: from the notices, from what the origin saw, and from the hashes of the files on the
//! disk beside those of the true bytes.

mod stage;
mod table;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dlmanager::{DownloadManager, Error, PersistLimit};
use dlmanager_origin::{At, Body, Cut, Gate, Reply};

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::misuse::Misuse;
use crate::out;

use self::stage::{Stage, rule};
use self::table::Table;

const MIB: u64 = 1 << 20;
/// The bytes in the directory from which on files are evicted, and the number of files that are kept.
const LIMIT: PersistLimit = PersistLimit::new(48 * MIB, 3);
/// How long a server may be silent, and a download may take, before it counts as broken: so that this always ends.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn demo() -> Result<Exit, Misuse> {
    match run() {
        Ok(exit) => Ok(exit),
        Err(error) => {
            out::say(&format!("error: {error:#}"));
            Ok(Exit::Failure)
        }
    }
}

fn run() -> Result<Exit> {
    let interrupt = Interrupt::install().context("cannot listen to signals")?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let manager = DownloadManager::builder(folder.path().join("files"))
        .persist_limit(LIMIT)
        .stall_timeout(STALL_TIMEOUT)
        .timeout(TIMEOUT)
        .open()?;
    let mut stage = Stage::new(&manager, &interrupt)?;
    let mut table = Table::default();
    let scenes = scenes(&mut stage, &mut table);
    if stage.finish() {
        return Ok(Exit::Interrupted);
    }
    scenes?;
    let written = table.print();
    Ok(table.verdict(written))
}

fn scenes(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    several(stage, table)?;
    present(stage, table)?;
    canceled(stage, table)?;
    evicted(stage, table)
}

/// Four at once: one of them over a connection that is cut midway, and one asked for twice.
fn several(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let paced = |body: &Body| Reply::body(body.clone()).rate(6 * MIB);
    let sizes = [("atlas.bin", 12 * MIB), ("model-7b-q4.bin", 16 * MIB), ("toolchain.tar.xz", 8 * MIB)];
    for (at, (name, length)) in (1..).zip(sizes) {
        let body = Body::pattern(at, length);
        stage.origin.serve(&format!("/{name}"), paced(&body));
        stage.know(name, body);
    }
    let cut = Body::pattern(4, 4 * MIB);
    let broken = paced(&cut).cut_at(At::Body(cut.len() / 2), Cut::Reset);
    stage.origin.script("/cut-midway.bin", vec![broken, paced(&cut)]);
    stage.know("cut-midway.bin", cut);

    let mut downloads = Vec::new();
    for name in ["atlas.bin", "model-7b-q4.bin", "toolchain.tar.xz", "cut-midway.bin"] {
        downloads.push(stage.start(name)?);
    }
    let joined = stage.start("atlas.bin")?;
    stage.until_idle()?;

    for name in ["model-7b-q4.bin", "toolchain.tar.xz"] {
        let (complete, bytes) = (stage.outcome(name), stage.bytes_of(name));
        table.row(name, "fetched", format!("{complete}, {}", bytes.text()), complete == "complete" && bytes.are_true());
    }
    let (retries, requests) = (stage.retries("cut-midway.bin"), stage.requests("/cut-midway.bin"));
    let (outcome, bytes) = (stage.outcome("cut-midway.bin"), stage.bytes_of("cut-midway.bin"));
    table.row(
        "cut-midway.bin",
        "cut midway, tried again",
        format!("{retries} retry, {requests} requests, {outcome}, {}", bytes.text()),
        retries == 1 && requests == 2 && outcome == "complete" && bytes.are_true(),
    );
    let Some(first) = downloads.first() else { bail!("nothing was started") };
    let (same, requests) = (first.id() == joined.id(), stage.requests("/atlas.bin"));
    let both_there = first.result().is_some_and(|result| result.is_ok()) && first.result() == joined.result();
    let bytes = stage.bytes_of("atlas.bin");
    let how = if same { "joined" } else { "started twice" };
    table.row(
        "atlas.bin",
        "asked for twice, fetched once",
        format!("{how}, {requests} request, {}", bytes.text()),
        same && both_there && requests == 1 && bytes.are_true(),
    );
    Ok(())
}

/// One that is there already costs no request.
fn present(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let before = stage.requests("/toolchain.tar.xz");
    stage.start("toolchain.tar.xz")?;
    stage.until_idle()?;
    let (outcome, bytes) = (stage.outcome("toolchain.tar.xz"), stage.bytes_of("toolchain.tar.xz"));
    let requests = stage.requests("/toolchain.tar.xz") - before;
    table.row(
        "toolchain.tar.xz",
        "there already",
        format!("{outcome}, {requests} requests, {}", bytes.text()),
        outcome == "present" && requests == 0 && bytes.are_true(),
    );
    Ok(())
}

/// One whose server has fallen silent is canceled, and leaves nothing.
fn canceled(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let (name, gate) = ("unwanted.iso", Gate::new());
    let body = Body::pattern(5, 64 * MIB);
    stage.origin.serve("/unwanted.iso", Reply::body(body.clone()).gate_at(At::Body(6 * MIB), &gate));
    stage.know(name, body);
    let download = stage.start(name)?;
    stage.until_received(&download, MIB);
    let accepted = download.cancel().is_ok();
    stage.until_idle()?;
    let (outcome, there) = (stage.outcome(name), stage.is_there(name));
    let canceled = matches!(download.result(), Some(Err(Error::Canceled)));
    let left = if there { "its file is there" } else { "nothing is left" };
    table.row(
        name,
        "canceled midway",
        format!("{outcome}, {left}"),
        accepted && canceled && outcome == "canceled" && !there,
    );
    Ok(())
}

/// One more file than the limit allows: those accessed longest ago go, as the rule says.
fn evicted(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let body = Body::pattern(6, 20 * MIB);
    stage.origin.serve("/dataset.parquet", Reply::body(body.clone()).rate(16 * MIB));
    stage.know("dataset.parquet", body.clone());
    let expected = rule(&stage.files()?, ("dataset.parquet", body.len()), &LIMIT);
    if expected.is_empty() {
        bail!("the files of this demonstration are too small for its limit");
    }
    stage.start("dataset.parquet")?;
    stage.until_idle()?;
    let (outcome, bytes) = (stage.outcome("dataset.parquet"), stage.bytes_of("dataset.parquet"));
    let evicted = stage.evicted();
    let gone = evicted.iter().all(|name| !stage.is_there(name));
    let kept: Vec<String> = stage.files()?.into_iter().map(|file| file.name.to_string_lossy().into_owned()).collect();
    let kept_true = kept.iter().all(|name| stage.bytes_of(name).are_true());
    table.row(
        "dataset.parquet",
        "fetched, beyond the limit",
        format!("{outcome}, {}", bytes.text()),
        outcome == "complete" && bytes.are_true(),
    );
    table.row(
        &expected.join(", "),
        "evicted: oldest access",
        format!("evicted {}, {} files kept", evicted.join(", "), kept.len()),
        evicted == expected && gone && kept_true && kept.len() + expected.len() == 5,
    );
    Ok(())
}
