//! From the command line to a plan in which all is known to make sense.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use dlmanager::core::{Config, Instant, Manager, Request};
use dlmanager::{AdmitError, FileName, HeaderName, HeaderValue, NameRule, Url, UrlError};

use crate::args::{GetArgs, IfPresent};
use crate::input::{self, Place, Wish};
use crate::misuse::Misuse;
use crate::{text, values};

/// A file to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// What it is, parsed once: it has the file's name, unless the server is to give it.
    pub(crate) request: Request,
    /// As it is shown.
    shown: Shown,
}

#[derive(Debug, Clone)]
enum Shown {
    Name(FileName),
    /// It has no name yet.
    Url(String),
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Shown::Name(name) => name.fmt(f),
            Shown::Url(url) => f.write_str(url),
        }
    }
}

/// What to fetch: each name once.
pub(crate) fn plan(args: &GetArgs) -> Result<Vec<Job>, Misuse> {
    Misuse::check(not_yet(args))?;
    let mut wishes: Vec<Wish> = args.urls.iter().map(|url| argument(url, args.output.as_deref())).collect();
    if args.output.is_some() && args.urls.len() > 1 {
        return Err(Misuse::new("--output names one file, and there are several URLs: use --input-file to name each"));
    }
    if args.checksum.is_some() && args.urls.len() > 1 {
        return Err(Misuse::new("--checksum is that of one file, and there are several URLs: use --input-file"));
    }
    if let Some(path) = &args.input_file {
        wishes.extend(input::read(path)?);
    }
    check_headers(&args.headers)?;
    let mut jobs = check_wishes(&wishes, args)?;
    // Where there is one, there is one URL.
    if let (Some(checksum), [job]) = (args.checksum, &mut jobs[..]) {
        job.request = job.request.clone().checksum(checksum);
    }
    Ok(jobs)
}

fn argument(url: &str, name: Option<&str>) -> Wish {
    Wish { url: url.into(), name: name.map(Into::into), checksum: None, place: Place::Argument }
}

fn not_yet(args: &GetArgs) -> Vec<String> {
    let asked = [
        (args.not_yet.proxy.is_some(), "--proxy"),
        (args.if_present == IfPresent::Revalidate, "--if-present revalidate"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, option)| Misuse::not_yet(option)).collect()
}

/// The core knows which fields may be set. It is pure: admitting to one that is thrown away does nothing else.
fn check_headers(headers: &[(HeaderName, HeaderValue)]) -> Result<(), Misuse> {
    let request = Request::new("http://localhost/file").map_err(|error| Misuse::new(error.to_string()))?;
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone()));
    match Manager::new(Config::default(), 0).download(Instant::ZERO, request) {
        Ok(_) => Ok(()),
        Err(error) => Err(Misuse::new(format!("--header: {error}"))),
    }
}

fn check_wishes(wishes: &[Wish], args: &GetArgs) -> Result<Vec<Job>, Misuse> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut problems = Vec::new();
    let mut places: BTreeMap<Known, Taken<'_>> = BTreeMap::new();
    // By names in lower case: some file systems take names that differ in nothing else for one.
    let mut names: BTreeMap<String, Named<'_>> = BTreeMap::new();
    for wish in wishes {
        let Checked { request, name } = match check_wish(wish, args) {
            Ok(checked) => checked,
            Err(problem) => {
                problems.push(format!("{}{problem}", wish.place));
                continue;
            }
        };
        let known = name.clone().map_or_else(|| Known::Url(request.url().clone()), Known::Name);
        let mut taken = match places.entry(known) {
            Entry::Vacant(place) => {
                let taken = Taken { place: &wish.place, job: jobs.len() };
                if let Some(name) = &name {
                    let named = names.entry(name.as_str().to_lowercase());
                    let other = named.or_insert_with(|| Named { name: name.clone(), taken });
                    let url = jobs.get(other.taken.job).map_or_else(|| request.url(), |job| job.request.url());
                    if url != request.url() {
                        problems.push(format!(
                            "{}the name {:?} differs only in case from {:?}, {}for {}, and some systems take them for one: \
                             give one of them another name",
                            wish.place,
                            text::shortened(name.as_str()),
                            text::shortened(other.name.as_str()),
                            from(other.taken.place),
                            shown(url.as_str(), args)
                        ));
                        continue;
                    }
                }
                place.insert(taken);
                let shown = name.map_or_else(|| Shown::Url(shown(request.url().as_str(), args)), Shown::Name);
                jobs.push(Job { request, shown });
                continue;
            }
            Entry::Occupied(taken) => taken,
        };
        let (known, Taken { place, job }) = (text::shortened(taken.key().as_str()), *taken.get());
        let Some(job) = jobs.get_mut(job) else { continue };
        if job.request.url() != request.url() {
            problems.push(format!(
                "{}the name {known:?} is taken already, {}for {}: give one of them another name",
                wish.place,
                from(place),
                shown(job.request.url().as_str(), args)
            ));
            continue;
        }
        // The same once more, which may be said with its checksum once and without it once.
        match (job.request.expected(), request.expected()) {
            (Some(other), Some(checksum)) if checksum != other => problems.push(format!(
                "{}the file {known:?} has another checksum already, {}{other}: leave one of them out",
                wish.place,
                from(place)
            )),
            (None, Some(_)) => {
                job.request = request;
                taken.get_mut().place = &wish.place;
            }
            (_, _) => {}
        }
    }
    for (known, Taken { place, .. }) in &places {
        let Known::Name(name) = known else { continue };
        for (end, _) in name.as_str().match_indices('/') {
            let folder = &name.as_str()[..end];
            if let Some(Named { name: file, taken }) = names.get(&folder.to_lowercase()) {
                problems.push(format!(
                    "{place}{:?} would have to be a folder for {:?}, and {}{:?} is the name of a file: give one of them another \
                     name",
                    text::shortened(folder),
                    text::shortened(name.as_str()),
                    from(taken.place),
                    text::shortened(file.as_str())
                ));
            }
        }
    }
    Misuse::check(problems)?;
    Ok(jobs)
}

fn from(place: &Place) -> String {
    match place {
        Place::Argument => String::new(),
        Place::Line { line, .. } => format!("in line {line}, "),
    }
}

/// What a file is known by before it is fetched.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Name(FileName),
    /// The server is to name it.
    Url(Url),
}

impl Known {
    fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name.as_str(),
            Self::Url(url) => url.as_str(),
        }
    }
}

/// Who has a name.
#[derive(Clone, Copy)]
struct Taken<'a> {
    place: &'a Place,
    /// Which of the jobs it is.
    job: usize,
}

/// Who has a name in one of its cases.
struct Named<'a> {
    name: FileName,
    taken: Taken<'a>,
}

/// A wish that makes sense.
struct Checked {
    request: Request,
    name: Option<FileName>,
}

fn check_wish(wish: &Wish, args: &GetArgs) -> Result<Checked, String> {
    check_characters(wish, args)?;
    let checksum = wish.checksum.as_deref().map(values::digest).transpose();
    let checksum = checksum.map_err(|error| text::shortened(&error.to_string()).into_owned())?;
    let mut request = Request::new(&wish.url).map_err(|error| url_problem(error, args))?;
    if let Some(checksum) = checksum {
        request = request.checksum(checksum);
    }
    if let Some(name) = &wish.name {
        let name = FileName::new(name).map_err(|error| match error.rule() {
            NameRule::Empty => format!("{error}: a name is relative to --dir, its parts separated by single slashes"),
            _ => error.to_string(),
        })?;
        request = request.name(name);
    }
    if args.content_disposition && wish.name.is_none() {
        return Ok(Checked { request, name: None });
    }
    let name = request.file_name().map_err(|error| {
        let advice = match wish.place {
            Place::Argument if args.urls.len() == 1 && args.input_file.is_none() => "--output NAME",
            Place::Argument => "a line with a name after the URL, in --input-file",
            Place::Line { .. } => "a name after the URL",
        };
        format!("{}: {error} (to name the file yourself: {advice})", shown(request.url().as_str(), args))
    })?;
    Ok(Checked { request: request.name(name.clone()), name: Some(name) })
}

/// Where a URL begins or ends in control characters, its parser would drop them.
fn check_characters(wish: &Wish, args: &GetArgs) -> Result<(), String> {
    for text in [Some(&wish.url), wish.checksum.as_ref()].into_iter().flatten() {
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(format!(
                "{:?} has a control character (U+{:04X}), which does not belong there: remove it",
                shown(text, args),
                u32::from(c)
            ));
        }
    }
    Ok(())
}

/// A URL as it is shown.
fn shown(url: &str, args: &GetArgs) -> String {
    match url.split_once('?') {
        Some((before, _)) if args.redact_queries => format!("{}?redacted", text::shortened(before)),
        _ => text::shortened(url).into_owned(),
    }
}

fn url_problem(mut error: UrlError, args: &GetArgs) -> String {
    if let UrlError::Invalid { url, .. } | UrlError::Scheme { url, .. } = &mut error {
        *url = shown(url, args);
    }
    let hint = match &error {
        UrlError::Invalid { url, .. } if !url.contains("://") => ": it has to begin with http://",
        UrlError::Scheme { scheme, .. } if scheme.contains('.') || scheme == "localhost" => ": is 'http://' missing?",
        _ => "",
    };
    format!("{}{hint}", AdmitError::from(error))
}
