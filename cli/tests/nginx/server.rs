//! nginx on loopback, plain and over TLS.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dlmanager_origin::Identity;

/// A running server of one folder at one or several ports.
pub(crate) struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    ports: Vec<u16>,
}

impl Nginx {
    /// Starts a server of `www` on loopback, at one port for each of `sites`: with TLS where it has an identity. `None`
    /// where there is no nginx.
    pub(crate) fn start(sites: &[Option<Identity>]) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("SKIPPED: nginx is not installed, so the program was not tried against it");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("www")).expect("a folder for the files");
        for (number, identity) in sites.iter().enumerate() {
            if let Some(Identity { certificates_pem, key_pem }) = identity {
                fs::write(folder.path().join(format!("{number}.pem")), certificates_pem).expect("a certificate");
                fs::write(folder.path().join(format!("{number}.key")), key_pem).expect("a key");
            }
        }
        // Somebody may take a port between its choice and its use: then others are chosen.
        for _ in 0..20 {
            let ports = free_ports(sites.len());
            let configuration = configuration(folder.path(), sites, &ports);
            fs::write(folder.path().join("nginx.conf"), configuration).expect("a configuration");
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
                if ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
                    return Some(Self { process, folder, ports });
                }
                std::thread::yield_now();
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("nginx did not start: {}", fs::read_to_string(folder.path().join("error.log")).unwrap_or_default());
    }

    pub(crate) fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// What the site with this number calls the path, whatever it speaks.
    pub(crate) fn url(&self, scheme: &str, site: usize, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/{path}", self.ports[site])
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that nobody uses now.
fn free_ports(count: usize) -> Vec<u16> {
    // All are held until the last one is chosen, so that they differ.
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("an address").port()).collect()
}

fn configuration(folder: &Path, sites: &[Option<Identity>], ports: &[u16]) -> String {
    // A single process in the foreground serves as who started it, so that it can read the temporary folder.
    let mut text = "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
         events { worker_connections 256; }\n\
         http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;\n\
         scgi_temp_path t5;\n"
        .to_owned();
    for (number, (identity, port)) in sites.iter().zip(ports).enumerate() {
        let (root, ssl) = (folder.display(), if identity.is_some() { " ssl" } else { "" });
        let _ = write!(text, "server {{ listen 127.0.0.1:{port}{ssl}; root {root}/www;");
        if identity.is_some() {
            let _ = write!(text, " ssl_certificate {root}/{number}.pem; ssl_certificate_key {root}/{number}.key;");
        }
        text += " }\n";
    }
    text + "}\n"
}
