//! Over TLS, with a private CA, on both transports.

use std::fs;
use std::process::Output;

use dlmanager_origin::{Authority, ServerCertificate};

use crate::server::Nginx;
use crate::{assert_same, dlmanager, fill};

const TRANSPORTS: [&str; 2] = ["hyper", "smol"];
const LENGTH: u64 = 40_000_000;

// The sites, by number.
const GOOD: usize = 0;
const WRONG_NAME: usize = 1;
const EXPIRED: usize = 2;
const OTHER_CA: usize = 3;
const PLAIN: usize = 4;

/// nginx with a file to serve, and the CA's certificate in `ca.pem` beside what is fetched.
fn start() -> Option<(Nginx, tempfile::TempDir)> {
    let authority = Authority::new("the tests' own CA").unwrap();
    let certificates =
        [ServerCertificate::Good, ServerCertificate::WrongName, ServerCertificate::Expired, ServerCertificate::OtherCa];
    let mut sites: Vec<_> = certificates.into_iter().map(|what| Some(authority.server(what).unwrap())).collect();
    sites.push(None);
    let nginx = Nginx::start(&sites)?;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    Some((nginx, folder))
}

fn get(folder: &tempfile::TempDir, transport: &str, url: &str, more: &[&str]) -> Output {
    let mut command = dlmanager();
    command.current_dir(folder.path()).args(["get", "--retries", "0", "-d", transport, "--transport", transport]);
    command.args(more).arg(url).output().unwrap()
}

#[test]
fn a_file_arrives_over_tls_byte_for_byte_when_its_private_ca_is_given() {
    let Some((nginx, folder)) = start() else { return };
    fill(&nginx.www().join("file"), LENGTH, 1);
    for transport in TRANSPORTS {
        let output = get(&folder, transport, &nginx.url("https", GOOD, "file"), &["--cacert", "ca.pem"]);
        assert!(output.status.success(), "{transport}: {output:?}");
        assert_same(&folder.path().join(transport).join("file"), &nginx.www().join("file"));
    }
}

#[test]
fn what_does_not_verify_or_is_no_tls_is_a_clear_error() {
    let Some((nginx, folder)) = start() else { return };
    fill(&nginx.www().join("file"), 10, 1);
    let trusting: &[&str] = &["--cacert", "ca.pem"];
    let runs: [(&str, usize, &[&str], &[&str]); 6] = [
        ("https", GOOD, &[], &["the tests' own CA", "no trusted CA", "--cacert"]),
        ("https", WRONG_NAME, trusting, &["for another name", "wrong.example", "127.0.0.1"]),
        ("https", EXPIRED, trusting, &["expired", "on Sat, 01 Feb 2020"]),
        ("https", OTHER_CA, trusting, &["another CA of the tests", "no trusted CA"]),
        ("https", PLAIN, trusting, &["not TLS", "is it a plain http port?"]),
        ("http", GOOD, trusting, &["400"]),
    ];
    for transport in TRANSPORTS {
        for (scheme, site, options, words) in runs {
            let url = nginx.url(scheme, site, "file");
            let output = get(&folder, transport, &url, options);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{transport}, {url}: {said}");
            assert!(said.contains(&url), "{transport}, {url}: {said}");
            for word in words {
                assert!(said.contains(word), "{transport}, {url}: {word:?} is not in {said:?}");
            }
            assert!(output.stdout.is_empty(), "{transport}, {url}: {:?}", output.stdout);
            let left = fs::read_dir(folder.path().join(transport)).unwrap().count();
            assert_eq!(left, 0, "{transport}, {url}: something is left");
        }
    }
}
