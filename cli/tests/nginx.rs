//! The program against nginx, byte for byte. Skipped, and said so, where nginx is not installed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const GIB: u64 = 1 << 30;

struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    /// Starts a server of `www` on loopback; `None` where there is no nginx.
    fn start() -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("SKIPPED: nginx is not installed, so the program was not tried against it");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("www")).expect("a folder for the files");
        // Somebody may take the port between its choice and its use: then another is chosen.
        for _ in 0..20 {
            let port =
                TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
            fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), port)).expect("a configuration");
            let mut process = Command::new(program)
                .arg("-p")
                .arg(folder.path())
                .args(["-c", "nginx.conf", "-e", "error.log"])
                .stderr(Stdio::null())
                .spawn()
                .expect("nginx starts");
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline {
                if process.try_wait().expect("a child can be waited for").is_some() {
                    break;
                }
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { process, folder, port });
                }
                std::thread::yield_now();
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("nginx did not start: {}", fs::read_to_string(folder.path().join("error.log")).unwrap_or_default());
    }

    fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    // A single process in the foreground serves as who started it, so that it can read the temporary folder.
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{ access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;\n\
         scgi_temp_path t5; server {{ listen 127.0.0.1:{port}; root {root}/www; }} }}\n",
        root = folder.display()
    )
}

/// Bytes of which no two stretches of 8 are the same.
fn fill(path: &Path, length: u64, seed: u64) {
    let mut file = File::create(path).expect("a file to serve");
    let mut block = Vec::with_capacity(1 << 20);
    let mut state = seed;
    let mut left = length;
    while left > 0 {
        block.clear();
        while (block.len() as u64) < left.min(1 << 20) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            block.extend_from_slice(&state.to_le_bytes());
        }
        block.truncate(usize::try_from(left.min(1 << 20)).expect("a block fits"));
        file.write_all(&block).expect("room for the file");
        left -= block.len() as u64;
    }
}

fn assert_same(got: &Path, wanted: &Path) {
    let (mut got_file, mut wanted_file) = (File::open(got).expect("the file is there"), File::open(wanted).unwrap());
    assert_eq!(got_file.metadata().unwrap().len(), wanted_file.metadata().unwrap().len(), "{}", got.display());
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let length = got_file.read(&mut a).unwrap();
        if length == 0 {
            return;
        }
        wanted_file.read_exact(&mut b[..length]).unwrap();
        assert!(a[..length] == b[..length], "{} differs", got.display());
    }
}

fn dlmanager() -> assert_cmd::Command {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_dlmanager"))
}

#[test]
fn a_gibibyte_arrives_byte_for_byte() {
    let Some(nginx) = Nginx::start() else { return };
    fill(&nginx.www().join("big"), GIB, 1);
    let target = tempfile::tempdir().unwrap();
    let output = dlmanager().args(["get", "-q", "-d"]).arg(target.path()).arg(nginx.url("big")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_same(&target.path().join("big"), &nginx.www().join("big"));
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing but the file is there");
}

#[test]
fn two_thousand_small_files_arrive_byte_for_byte() {
    let Some(nginx) = Nginx::start() else { return };
    let mut list = String::new();
    for number in 0..2_000 {
        let name = format!("file-{number:04}");
        fill(&nginx.www().join(&name), 16 * 1024, number + 2);
        list += &format!("{}\n", nginx.url(&name));
    }
    let target = tempfile::tempdir().unwrap();
    let mut command = dlmanager();
    command.args(["get", "-q", "-j", "16", "--per-host", "16", "-i", "-", "-d"]).arg(target.path());
    let output = command.write_stdin(list).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for number in 0..2_000 {
        let name = format!("file-{number:04}");
        assert_same(&target.path().join(&name), &nginx.www().join(&name));
    }
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 2_000, "nothing but the files is there");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), 2_000, "the path of each finished file is printed where stdout is no terminal");
}
