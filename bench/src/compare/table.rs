//! Medians, ratios, and whether the goals are reached.

use std::time::Duration;

use super::Row;
use super::case::{Case, Goal, Quantity};
use super::measure::Used;
use super::subject::Subject;

/// Whether a case compares its programs with this one.
pub(crate) fn is_reference(case: &Case, subject: Subject) -> bool {
    references(case).contains(&subject)
}

/// Those that the goals are about; without any, curl.
fn references(case: &Case) -> Vec<Subject> {
    let mut found = Vec::new();
    for goal in &case.goals {
        let reference = match goal.quantity {
            Quantity::WallOf(subject) | Quantity::CpuOf(subject) => subject,
            Quantity::MicrosMoreThanUnflushed => Subject::HyperWithoutFlushes,
            Quantity::WallSeconds | Quantity::PeakMib => continue,
        };
        if !found.contains(&reference) {
            found.push(reference);
        }
    }
    if found.is_empty() { vec![Subject::Curl] } else { found }
}

/// Prints a case's part of the table. Returns how many goals are missed.
pub(crate) fn print(case: &Case, rows: &[Row]) -> usize {
    let references = references(case);
    println!("\n{}", case.title);
    let mut head = format!("  {:<18} {:>9} {:>8} {:>9}", "", "wall s", "CPU s", "peak MiB");
    for reference in &references {
        head += &format!("   {:>29}", format!("wall, CPU / {reference}"));
    }
    println!("{head}");
    for row in rows {
        let runs = match &row.runs {
            Ok(runs) => runs,
            Err(why) => {
                println!("  {:<18} {why}", row.subject);
                continue;
            }
        };
        let mut line = format!(
            "  {:<18} {:>9.3} {:>8.3} {:>9.1}",
            row.subject,
            median(runs.iter().map(|used| used.wall.as_secs_f64())),
            median(runs.iter().map(|used| used.cpu.as_secs_f64())),
            median(runs.iter().map(peak_mib)),
        );
        for &reference in &references {
            let ratios = |quantity: fn(Subject) -> Quantity| value(case, rows, row, quantity(reference));
            match (ratios(Quantity::WallOf), ratios(Quantity::CpuOf)) {
                (Some(wall), Some(cpu)) => line += &format!("   {:>29}", format!("{wall:.2}, {cpu:.2}")),
                _ => line += &format!("   {:>29}", "-"),
            }
        }
        println!("{}", line.trim_end());
    }
    case.goals.iter().map(|goal| print_goal(case, rows, goal)).sum()
}

fn print_goal(case: &Case, rows: &[Row], goal: &Goal) -> usize {
    let what = match goal.quantity {
        Quantity::WallOf(subject) => format!("wall / {subject}"),
        Quantity::CpuOf(subject) => format!("CPU / {subject}"),
        Quantity::MicrosMoreThanUnflushed => "CPU us a file more than unflushed".to_owned(),
        Quantity::WallSeconds => "wall s".to_owned(),
        Quantity::PeakMib => "peak MiB".to_owned(),
    };
    let mut missed = 0;
    let mut line = format!("  goal: {what} <= {:.2}:", goal.most);
    for row in rows.iter().filter(|row| row.subject.is_ours()) {
        match value(case, rows, row, goal.quantity) {
            Some(value) if value <= goal.most => line += &format!("  {value:.2} reached"),
            Some(value) => {
                missed += 1;
                line += &format!("  {value:.2} MISSED");
            }
            None => line += "  not measured",
        }
    }
    println!("{line}");
    missed
}

/// The median of a quantity, compared run by run.
fn value(case: &Case, rows: &[Row], row: &Row, quantity: Quantity) -> Option<f64> {
    let runs = row.runs.as_ref().ok().filter(|runs| !runs.is_empty())?;
    let paired = |reference: Subject, compare: &dyn Fn(&Used, &Used) -> f64| {
        let other = rows.iter().find(|other| other.subject == reference)?.runs.as_ref().ok()?;
        Some(median(runs.iter().zip(other).map(|(one, other)| compare(one, other))))
    };
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(1e-6);
    match quantity {
        Quantity::WallOf(reference) => paired(reference, &|one, other| ratio(one.wall, other.wall)),
        Quantity::CpuOf(reference) => paired(reference, &|one, other| ratio(one.cpu, other.cpu)),
        Quantity::MicrosMoreThanUnflushed => {
            let files = case.files as f64;
            paired(row.subject.unflushed(), &|one, other| {
                (one.cpu.as_secs_f64() - other.cpu.as_secs_f64()) * 1e6 / files
            })
        }
        Quantity::WallSeconds => Some(median(runs.iter().map(|used| used.wall.as_secs_f64()))),
        Quantity::PeakMib => Some(median(runs.iter().map(peak_mib))),
    }
}

fn peak_mib(used: &Used) -> f64 {
    used.peak_kib as f64 / 1024.0
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 30.0].into_iter()), 3.0);
        assert!(median(std::iter::empty()).is_nan());
    }
}
