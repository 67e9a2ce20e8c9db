//! What happens, as JSON objects. `event`, `url` and `name` stand in each; `url` and `name` are null where there is none.
//! README has a table of them.

use std::path::Path;

use dlmanager::{DownloadedFile, Error, How, Kept, Notice, Subject, Why};
use serde_json::{Value, json};

/// News of a download; `None` for what programs are not told.
pub(super) fn news(download: &Subject, notice: &Notice) -> Option<Value> {
    let (url, name) = (download.url.as_str(), download.name.as_str());
    Some(match notice {
        Notice::Started { .. } => json!({ "event": "started", "url": url, "name": name }),
        Notice::Progress { progress, .. } => json!({
            "event": "progress",
            "url": url,
            "name": name,
            "bytes": progress.received,
            "total": progress.total,
            "bytes_per_second": progress.speed,
            "seconds_left": progress.time_left.map(|left| left.as_secs_f64()),
        }),
        Notice::Retrying { attempt, delay, cause, .. } => json!({
            "event": "retry",
            "url": url,
            "name": name,
            "attempt": attempt,
            "delay_seconds": delay.as_secs_f64(),
            "error": { "kind": cause.kind(), "message": cause.to_string() },
        }),
        Notice::Locked { .. } => json!({ "event": "waiting", "url": url, "name": name, "for": "download" }),
        Notice::Rewound { from, to, .. } => {
            json!({ "event": "rewound", "url": url, "name": name, "from": from, "bytes": to })
        }
        _ => return None,
    })
}

/// The end of a download. `path` and `bytes` are null where no file is there, `error` where none happened. `digest` is the
/// strongest one that the file was found to have, null where nobody said what it should be.
pub(super) fn finished(download: &Subject, result: &Result<DownloadedFile, Error>) -> Value {
    let outcome = match result {
        Ok(file) => match file.how {
            How::Fetched => "complete",
            How::Present => "present",
        },
        Err(Error::Canceled) => "canceled",
        Err(_) => "failed",
    };
    let file = result.as_ref().ok();
    let digest = file.and_then(|file| file.digests.iter().next());
    let error = result.as_ref().err().filter(|error| !error.is_canceled());
    json!({
        "event": "finished",
        "url": download.url.as_str(),
        "name": download.name.as_str(),
        "outcome": outcome,
        "path": file.map(|file| file.path.to_string_lossy()),
        "bytes": file.map(|file| file.length),
        "digest": digest.map(ToString::to_string),
        "error": error.map(|error| json!({ "kind": error.kind(), "message": error.to_string() })),
        "final_url": file.map(|file| file.url.as_str()),
        "requests": file.map(|file| file.requests),
        "length_unverified": file.map(|file| file.length_unverified),
        "content_encoding": file.and_then(|file| file.content_encoding.as_deref()),
    })
}

/// Another process evicts in the directory, and this one waits for its turn.
pub(super) fn waiting_to_evict(directory: &Path) -> Value {
    json!({
        "event": "waiting",
        "url": null,
        "name": null,
        "path": directory.to_string_lossy(),
        "for": "eviction",
    })
}

/// A file that stays although it should have gone, or was asked about.
pub(super) fn kept(directory: &Path, name: &str, length: u64, why: Kept) -> Value {
    json!({
        "event": "kept",
        "url": null,
        "name": name,
        "path": directory.join(name).to_string_lossy(),
        "bytes": length,
        "why": why.text(),
    })
}

pub(super) fn evicted(directory: &Path, name: &str, length: u64, why: Why, dry_run: bool) -> Value {
    json!({
        "event": "evicted",
        "url": null,
        "name": name,
        "path": directory.join(name).to_string_lossy(),
        "bytes": length,
        "why": why.text(),
        "dry_run": dry_run,
    })
}
