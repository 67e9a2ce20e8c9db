//! nginx on loopback, plain and over TLS, with the files of a run.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use dlmanager_origin::{Authority, ServerCertificate};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running server of one folder.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Child,
    folder: PathBuf,
    plain: u16,
    secure: u16,
    dead: u16,
}

/// Where the server is looked for.
const PROGRAMS: [&str; 4] = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"];

/// How many bytes of a reply come at once below `/half/`; the rest comes hardly at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half(pub(crate) u64);

impl Nginx {
    /// Starts a server of `folder/www`. Its other files go to `folder` as well, the CA's certificate among them.
    pub(crate) fn start(folder: &Path, half: Half) -> anyhow::Result<Self> {
        let program = PROGRAMS.into_iter().find(|path| Path::new(path).exists());
        let program = program.context("nginx is not installed (Debian: nginx-light)")?;
        let authority = Authority::new("the CA of the comparison")?;
        let identity = authority.server(ServerCertificate::Good)?;
        fs::write(folder.join("ca.pem"), authority.pem())?;
        fs::write(folder.join("server.pem"), identity.certificates_pem)?;
        fs::write(folder.join("server.key"), identity.key_pem)?;
        // All are held until the last one is chosen, so that they differ.
        let held = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let ports = [held[0].local_addr()?.port(), held[1].local_addr()?.port()];
        let dead = free_port_below_the_chosen_ones()?;
        drop(held);
        fs::write(folder.join("nginx.conf"), configuration(folder, ports, half))?;
        let process = Command::new(program)
            .arg("-p")
            .arg(folder)
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stderr(Stdio::null())
            .spawn()
            .context("nginx does not start")?;
        let mut nginx = Self { process, folder: folder.into(), plain: ports[0], secure: ports[1], dead };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            if nginx.process.try_wait()?.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                bail!("nginx did not start: {log}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    /// Where the files to be served go.
    pub(crate) fn www(&self) -> PathBuf {
        self.folder.join("www")
    }

    /// The certificate that clients have to trust.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A URL of the server.
    pub(crate) fn url(&self, secure: bool, path: &str) -> String {
        match secure {
            true => format!("https://127.0.0.1:{}/{path}", self.secure),
            false => format!("http://127.0.0.1:{}/{path}", self.plain),
        }
    }

    /// A URL at which every connection is refused.
    pub(crate) fn dead_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.dead)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It takes its workers with it, which a kill would leave.
        let asked = i32::try_from(self.process.id()).is_ok_and(|id| kill(Pid::from_raw(id), Signal::SIGTERM).is_ok());
        if !asked {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// A port that nobody is given by the system, so that nobody listens there while a run lasts.
fn free_port_below_the_chosen_ones() -> anyhow::Result<u16> {
    (20_000..30_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port is free")
}

fn configuration(folder: &Path, [plain, secure]: [u16; 2], Half(half): Half) -> String {
    let root = folder.display();
    // As who started it, so that it can read the folder; only root is told otherwise.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 2; pid nginx.pid; error_log error.log;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
            client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
            server {{
                listen 127.0.0.1:{plain}; listen 127.0.0.1:{secure} ssl; root {root}/www;
                ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.key;
                location /limited/ {{ alias {root}/www/; limit_rate 8m; }}
                location /half/ {{ alias {root}/www/; limit_rate_after {half}; limit_rate 1k; }}
            }}
        }}\n"
    )
}
