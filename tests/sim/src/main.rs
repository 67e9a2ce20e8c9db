//! draft
use dlmanager_sim::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let seed: u64 = args[1].parse().unwrap();
    let n: u64 = args[2].parse().unwrap();
    let mut tally = Tally::default();
    let mut downloads = 0;
    let mut fails = std::collections::BTreeMap::<String, (u64, u64, String)>::new();
    let t = std::time::Instant::now();
    for s in seed..seed + n {
        let e = run(Decisions::seeded(s), &Options { is_spoken: n == 1, ..Options::default() });
        tally.add(&e.tally);
        downloads += e.downloads;
        if let Some(v) = e.violation {
            let k: String = v.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
            fails.entry(k).or_insert((0, s, v)).0 += 1;
        }
    }
    let t = t.elapsed();
    if n > 1 {
        println!("{tally}");
    }
    let mut f: Vec<_> = fails.values().collect();
    f.sort();
    f.reverse();
    for (c, s, v) in f {
        println!("{c} x, seed {s}: {}", &v[..v.len().min(700)]);
    }
    println!("{n} runs, {downloads} downloads, {:?}, {:.0}/s", t, downloads as f64 / t.as_secs_f64());
}
