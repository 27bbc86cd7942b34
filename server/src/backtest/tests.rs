#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use super::*;
use crate::lines::{Caps, Lines};
use crate::redact::Mode;

const BEGIN: i64 = 1_780_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN + second * 1000)
}

/// A call each second; from the 600th on each fails.
fn failing(service: &str, seconds: std::ops::Range<i64>) -> String {
    seconds.fold(String::new(), |mut text, second| {
        let (level, what) = if second >= 600 { ("ERROR", "failed") } else { ("INFO", "done") };
        let time = at(second);
        let _ = writeln!(
            text,
            r#"{{"timestamp":"{time}","level":"{level}","service":"{service}","operation":"checkout","message":"checkout {what} for order {second}"}}"#
        );
        text
    })
}

fn files(paths: &[PathBuf]) -> Result<Report, BacktestError> {
    let source = Source::Files { paths: paths.to_vec(), until: Some(at(86_400)) };
    run(&source, Rules::default(), &Redactor::new(Mode::Local), &mut ())
}

fn alone(report: &Report) -> Whole<'_> {
    Whole { report, compared: None, score: None }
}

fn kinds(report: &Report) -> Vec<(&str, &str)> {
    report.alerts.iter().map(|found| (found.kind.word(), found.service.raw())).collect()
}

#[test]
fn what_fails_is_found_and_the_same_bytes_come_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    fs::write(&path, failing("api", 0..900)).unwrap();
    let report = files(std::slice::from_ref(&path)).unwrap();
    assert_eq!((report.lines, report.from), (900, Some(at(0))));
    assert!(kinds(&report).contains(&("error_spike", "api")), "{:?}", kinds(&report));
    assert!(report.alerts.iter().all(|found| found.detected_at >= at(600)), "{:?}", report.alerts);
    let again = files(&[path]).unwrap();
    assert_eq!(json(&alone(&report)).unwrap(), json(&alone(&again)).unwrap());
}

#[test]
fn files_are_merged_by_time_whichever_is_named_first() {
    let dir = tempfile::tempdir().unwrap();
    let (early, late) = (dir.path().join("early"), dir.path().join("late"));
    fs::write(&early, failing("api", 0..450)).unwrap();
    fs::write(&late, failing("api", 450..900)).unwrap();
    let (whole, turned) = (files(&[early.clone(), late.clone()]).unwrap(), files(&[late, early]).unwrap());
    assert_eq!(whole, turned);
    assert!(!whole.alerts.is_empty());
}

#[test]
fn a_packed_file_is_read_as_what_is_in_it_and_a_broken_one_is_told_with_how_far_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, packed, broken) =
        (dir.path().join("app.log"), dir.path().join("app.log.gz"), dir.path().join("cut.gz"));
    fs::write(&plain, failing("api", 0..900)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&fs::read(&plain).unwrap()).unwrap();
    let bytes = gzip.finish().unwrap();
    fs::write(&packed, &bytes).unwrap();
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(files(&[plain]).unwrap(), files(&[packed]).unwrap());
    assert!(matches!(files(&[broken]), Err(BacktestError::Read { lines: 1.., .. })));
}

#[test]
fn a_line_without_a_time_goes_with_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (timed, bare) = (dir.path().join("timed"), dir.path().join("bare"));
    fs::write(&timed, failing("api", 100..103)).unwrap();
    fs::write(&bare, format!("{} INFO other begins\nno time here\n", at(50))).unwrap();
    let mut merged = recording::Recordings::open(&[timed, bare], Some(at(86_400))).unwrap();
    let mut seen = Vec::new();
    while let Some(event) = merged.next().unwrap() {
        seen.push(event.timestamp);
    }
    assert_eq!(seen, [Some(at(50)), None, Some(at(100)), Some(at(101)), Some(at(102))]);
}

#[test]
fn kept_lines_are_read_with_the_times_they_were_given_and_are_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    fs::write(&path, failing("api", 0..900)).unwrap();
    let of_file = files(std::slice::from_ref(&path)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let events: Vec<LogEvent<'_>> = text
        .lines()
        .map(|line| crate::ingest::record(line, at(86_400)))
        .map(|event| LogEvent { engine_time: event.timestamp.unwrap(), ..event })
        .collect();
    Lines::open(dir.path(), Caps::default()).unwrap().append(&events).unwrap();
    let kept = Source::Kept { folder: dir.path().to_owned(), from: LineId(0) };
    let of_kept = run(&kept, Rules::default(), &Redactor::new(Mode::Local), &mut ()).unwrap();
    assert_eq!(of_kept, of_file);
}

#[test]
fn what_cannot_be_read_is_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert!(files(&[missing]).unwrap_err().to_string().ends_with("missing"));
    assert!(matches!(files(&[dir.path().to_owned()]), Err(BacktestError::Open(..))));
    let kept = Source::Kept { folder: dir.path().to_owned(), from: LineId(0) };
    let nothing = run(&kept, Rules::default(), &Redactor::new(Mode::Local), &mut ());
    assert!(matches!(nothing, Err(BacktestError::NothingKept(_))));
    assert!(!dir.path().join(lines::FILE).exists());
}

#[test]
fn an_empty_file_is_no_error_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty");
    fs::write(&path, "").unwrap();
    let report = files(&[path]).unwrap();
    assert_eq!(report, Report::default());
    assert_eq!(words(&alone(&report))[0].raw(), "no lines: nothing was looked at");
}

#[test]
fn an_alert_that_is_over_says_so_and_a_second_episode_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    let mut text = failing("api", 0..700);
    for second in 700..7200 {
        let time = at(second);
        let _ = writeln!(
            text,
            r#"{{"timestamp":"{time}","level":"INFO","service":"api","operation":"checkout","message":"checkout done for order {second}"}}"#
        );
    }
    text += &failing("api", 7200..7300);
    fs::write(&path, text).unwrap();
    let report = files(&[path]).unwrap();
    let spikes: Vec<_> = report.alerts.iter().filter(|found| found.kind.word() == "error_spike").collect();
    let episodes: Vec<_> = spikes.iter().map(|found| (found.episode, found.ended_at.is_some())).collect();
    assert_eq!(episodes, [(1, true), (2, false)]);
}

#[test]
fn two_settings_are_tried_in_one_reading_and_what_comes_and_goes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    fs::write(&path, failing("api", 0..900)).unwrap();
    let source = Source::Files { paths: vec![path.clone()], until: Some(at(86_400)) };
    let off = crate::rules::read("r.toml", "[[rule]]\ntype = \"error_spike\"\nenabled = false\n").unwrap();
    let off = crate::rules::RuleBook::open(off, crate::rules::Kept::default()).0.engine().clone();
    let reports =
        run_each(&source, vec![Rules::default().into(), off.into()], &Redactor::new(Mode::Local), &mut ()).unwrap();
    assert_eq!(reports[0], files(&[path]).unwrap(), "the other setting changes nothing");
    let compared = compare(&reports[0], &reports[1]);
    assert!(compared.gained.is_empty());
    assert!(compared.lost.iter().all(|found| found.kind.word() == "error_spike") && !compared.lost.is_empty());
    let whole = Whole { report: &reports[1], compared: Some((&reports[0], compared)), score: None };
    let rows = words(&whole);
    assert!(rows[0].raw().starts_with("- ") && rows[rows.len() - 2].raw().contains("0 gained"), "{rows:?}");
    assert!(json(&whole).unwrap().contains("\"lost\": [\n"));
}

#[test]
fn what_people_called_false_is_told_of_only_where_it_was_larger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    fs::write(&path, failing("api", 0..900)).unwrap();
    let source = Source::Files { paths: vec![path], until: Some(at(86_400)) };
    let plain = run(&source, Rules::default(), &Redactor::new(Mode::Local), &mut ()).unwrap();
    let known_as = |found: &Found| {
        let mut pace = Pace::new(Rules::default());
        for (nth, line) in failing("api", 0..900).lines().enumerate() {
            let event = crate::ingest::record(line, at(86_400));
            let event = LogEvent { engine_time: event.timestamp.unwrap(), ..event };
            pace.lead_to(event.engine_time, false, &mut |_, _| {});
            pace.engine.observe(LineId(nth as u64 + 1), &event);
        }
        let said = pace.engine.drain();
        said.iter().find(|said| said.rule_id == found.rule_id.raw()).unwrap().fingerprint.clone()
    };
    let spike = plain.alerts.iter().find(|found| found.kind.word() == "error_spike").unwrap();
    let lesson = |lines| Lesson { fingerprint: known_as(spike), at: at(0), times: 1, lines };
    let settings = [10, 1_000_000].map(|lines| Setting { rules: Rules::default(), lessons: vec![lesson(lines)] });
    let reports = run_each(&source, settings.to_vec(), &Redactor::new(Mode::Local), &mut ()).unwrap();
    let spikes = |report: &Report| report.alerts.iter().filter(|found| found.fingerprint == spike.fingerprint).count();
    assert_eq!((spikes(&reports[0]), spikes(&reports[1])), (1, 0));
    let compared = compare(&plain, &reports[1]);
    assert_eq!((compared.gained.len(), compared.lost), (0, vec![spike]));
}

#[test]
fn what_is_no_log_and_what_has_no_times_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (binary, timeless) = (dir.path().join("program"), dir.path().join("prose"));
    fs::write(&binary, (0..4096_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
    fs::write(&timeless, "one thing\nand another\n").unwrap();
    assert!(matches!(files(&[binary]), Err(BacktestError::NotText(_))));
    let report = files(&[timeless]).unwrap();
    assert_eq!((report.lines, report.untimed), (2, 2), "they are taken as of now, and that is said");
}

#[test]
fn whoever_has_heard_enough_ends_it() {
    struct Impatient(u64);
    impl Listener for Impatient {
        fn far(&mut self, far: Progress) -> std::ops::ControlFlow<()> {
            self.0 = far.lines;
            std::ops::ControlFlow::Break(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    fs::write(&path, failing("api", 0..2).repeat(60_000)).unwrap();
    let source = Source::Files { paths: vec![path], until: Some(at(86_400)) };
    let mut impatient = Impatient(0);
    let report = run(&source, Rules::default(), &Redactor::new(Mode::Local), &mut impatient).unwrap();
    assert_eq!((report.lines, impatient.0), (PROGRESS_LINES, PROGRESS_LINES));
}
