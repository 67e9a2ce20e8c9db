//! `dlmanager demo`: the whole job against an origin on loopback, and a table that says whether it went as it should.
//!
//! What the table shows is computed: from the notices, from what the origin saw, and from the hashes of the files on the
//! disk beside those of the true bytes.

mod stage;
mod table;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dlmanager::{DownloadManager, Error, PersistLimit};
use dlmanager_origin::{At, Body, Cut, Gate, Reply, Resource};

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::misuse::Misuse;
use crate::{out, text};

use self::stage::{Stage, rule};
use self::table::Table;

const MIB: u64 = 1 << 20;
/// The bytes in the directory from which on files are evicted, and the number of files that are kept.
const LIMIT: PersistLimit = PersistLimit::new(48 * MIB, 3);
/// How fast a file comes, in bytes a second, so that there is something to see.
const RATE: u64 = 9 * MIB;
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
    refused(stage, table)?;
    present(stage, table)?;
    canceled(stage, table)?;
    evicted(stage, table)
}

/// Four at once: one of them over a connection that is cut midway, one held to its checksum, and one asked for twice.
fn several(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let paced = |body: &Body| Reply::body(body.clone()).rate(RATE);
    let sizes = [("atlas.bin", 12 * MIB), ("model-7b-q4.bin", 16 * MIB), ("toolchain.tar.xz", 8 * MIB)];
    for (at, (name, length)) in (1..).zip(sizes) {
        let body = Body::pattern(at, length);
        stage.origin.serve(&format!("/{name}"), paced(&body));
        stage.know(name, body);
    }
    let (cut, version) = (Resource::new(4, 4 * MIB), 1);
    let whole = cut.reply(version).rate(RATE);
    let broken = whole.clone().cut_at(At::Body(cut.body(version).len() / 2), Cut::Fin);
    stage.origin.script("/cut-midway.bin", vec![broken, whole]);
    stage.know("cut-midway.bin", cut.body(version));

    let first = stage.start("atlas.bin")?;
    stage.start("model-7b-q4.bin")?;
    let digest = stage.true_digest("toolchain.tar.xz")?;
    let checked = stage.start_checked("toolchain.tar.xz", digest)?;
    stage.start("cut-midway.bin")?;
    let joined = stage.start("atlas.bin")?;
    stage.until_idle()?;

    let (outcome, bytes) = (stage.outcome("model-7b-q4.bin"), stage.bytes_of("model-7b-q4.bin"));
    let right = outcome == "complete" && bytes.are_true();
    table.row("model-7b-q4.bin", "fetched", format!("{outcome}, {}", bytes.text()), right);

    let (outcome, bytes) = (stage.outcome("toolchain.tar.xz"), stage.bytes_of("toolchain.tar.xz"));
    let verified = checked.result().and_then(Result::ok).is_some_and(|file| file.digests.iter().eq([&digest]));
    let how = if verified { "verified" } else { "NOT verified" };
    table.row(
        "toolchain.tar.xz",
        "fetched, with its checksum",
        format!("{outcome}, {how}, {}", bytes.text()),
        outcome == "complete" && verified && bytes.are_true(),
    );
    resumed(stage, table, &cut, version);

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

/// What came before the cut was kept: the origin was asked for the rest, provided that its file is still the same.
fn resumed(stage: &Stage<'_>, table: &mut Table, resource: &Resource, version: u64) {
    let name = "cut-midway.bin";
    let (retries, asked) = (stage.retries(name), stage.asked_for_rest("/cut-midway.bin"));
    let (outcome, bytes) = (stage.outcome(name), stage.bytes_of(name));
    let length = resource.body(version).len();
    let (how, right) = match &asked[..] {
        [(from, if_range, sent)] => {
            let how =
                format!("resumed at {} with If-Range {if_range}, {} sent", text::bytes(*from), text::bytes(*sent));
            (how, *from > 0 && *if_range == resource.etag(version) && *sent == length - from)
        }
        [] => ("started over".into(), false),
        several => (format!("resumed {} times", several.len()), false),
    };
    table.row(
        name,
        "cut midway, resumed",
        format!("{how}, {outcome}, {}", bytes.text()),
        right && retries == 1 && outcome == "complete" && bytes.are_true(),
    );
}

/// One that is not what its checksum says is fetched once more, and then dropped.
fn refused(stage: &mut Stage<'_>, table: &mut Table) -> Result<()> {
    let name = "tampered.bin";
    stage.know(name, Body::pattern(7, MIB));
    stage.origin.serve("/tampered.bin", Reply::body(Body::pattern(8, MIB)));
    let digest = stage.true_digest(name)?;
    let download = stage.start_checked(name, digest)?;
    stage.until_idle()?;
    let (requests, there) = (stage.requests("/tampered.bin"), stage.is_there(name));
    let kind = download.error().map_or("no error", |error| error.kind());
    let left = if there { "its file is there" } else { "nothing is left" };
    table.row(
        name,
        "another checksum: refused",
        format!("{kind}, {requests} requests, {left}"),
        kind == "checksum-mismatch" && requests == 2 && !there,
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
    stage.origin.serve("/dataset.parquet", Reply::body(body.clone()).rate(2 * RATE));
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
