#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use stella_protocol::query::parse;

use super::*;

const HOUR: i64 = 3_600_000;
/// Names the folder to the child of the test that kills it.
const CHILD: &str = "STELLA_TEST_LINES_UNTIL_KILLED";

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_780_000_000_000 + millis)
}

fn line(millis: i64, message: &str) -> LogEvent<'_> {
    LogEvent { received_at: at(millis), engine_time: at(millis), message: message.into(), ..LogEvent::default() }
}

/// 100 lines in blocks of 7, one each 10 ms; each tenth says `fail`.
fn hundred(dir: &Path) -> Lines {
    let lines = Lines::open(dir, Caps::default()).unwrap();
    let texts: Vec<String> =
        (1..=100).map(|n| format!("line {n} {}", if n % 10 == 0 { "fail" } else { "fine" })).collect();
    let events: Vec<_> = (1..).zip(&texts).map(|(n, text)| line(n * 10, text)).collect();
    for block in events.chunks(7) {
        lines.append(block).unwrap();
    }
    lines
}

fn numbers(page: &stella_protocol::snapshot::LogPage) -> Vec<u64> {
    page.items.iter().map(|line| line.id.0).collect()
}

fn next(page: &stella_protocol::snapshot::LogPage) -> Option<LineId> {
    page.next.as_ref().map(|next| LineId(next.parse().unwrap()))
}

/// All pages of `ask`, in the order of reading.
fn pages(lines: &Lines, mut ask: LineSearch) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    loop {
        let page = lines.search(&ask).unwrap();
        found.push(numbers(&page));
        assert!(found.len() < 200, "paging does not end");
        match next(&page) {
            Some(next) => ask.after = Some(next),
            None => return found,
        }
    }
}

#[test]
fn lines_are_numbered_densely_and_found_again_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    drop(hundred(dir.path()));
    let lines = Lines::open(dir.path(), Caps::default()).unwrap();
    let everything = lines.search(&LineSearch::default()).unwrap();
    assert_eq!(numbers(&everything), (1..=100).collect::<Vec<_>>());
    assert_eq!(everything.items[41].event, line(420, "line 42 fine"));
    assert_eq!(lines.append(&[line(2000, "more")]).unwrap(), LineId(101)..LineId(102));
    assert_eq!(lines.newest().unwrap(), Newest { line: LineId(101), engine_time: at(2000), received_at: at(2000) });
}

#[test]
fn a_span_holds_its_start_and_excludes_its_end_and_is_cut_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    let ask = LineSearch { from: at(200), to: at(300), ..LineSearch::default() };
    assert_eq!(numbers(&lines.search(&ask).unwrap()), (20..30).collect::<Vec<_>>());
    let cut = LineSearch { up_to: Some(LineId(22)), ..ask.clone() };
    assert_eq!(numbers(&lines.search(&cut).unwrap()), [20, 21, 22]);
    let before = LineSearch { before: Some(LineId(29)), newest_first: true, limit: 2, ..ask };
    assert_eq!(numbers(&lines.search(&before).unwrap()), [27, 28]);
}

#[test]
fn pages_cover_everything_once_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    for limit in [1, 3, 7, 10, 99, 100, 101] {
        let ask = LineSearch { query: parse("fail").unwrap(), limit, ..LineSearch::default() };
        let forwards: Vec<u64> = pages(&lines, ask.clone()).concat();
        assert_eq!(forwards, (1..=10).map(|n| n * 10).collect::<Vec<_>>(), "limit {limit}");
        let mut backwards = pages(&lines, LineSearch { newest_first: true, ..ask });
        backwards.reverse();
        assert_eq!(backwards.concat(), forwards, "limit {limit}");
    }
}

#[test]
fn context_comes_along_unmarked_once_and_whole_whatever_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    let wanted: Vec<u64> = (1..=100).filter(|n| n % 10 <= 3 || n % 10 >= 7).filter(|n| (7..=100).contains(n)).collect();
    for limit in [1, 2, 5, 8, 1000] {
        let ask = LineSearch { query: parse("fail").unwrap(), context: 3, limit, ..LineSearch::default() };
        assert_eq!(pages(&lines, ask.clone()).concat(), wanted, "limit {limit}");
        let mut backwards = pages(&lines, LineSearch { newest_first: true, ..ask });
        backwards.reverse();
        assert_eq!(backwards.concat(), wanted, "limit {limit}");
    }
    let ask = LineSearch { query: parse("fail").unwrap(), context: 3, ..LineSearch::default() };
    for line in lines.search(&ask).unwrap().items {
        assert_eq!(line.matched, line.id.0 % 10 == 0);
    }
}

#[test]
fn a_mark_marks_and_does_not_choose() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    let page = lines.search(&LineSearch { mark: Some(parse("fail").unwrap()), ..LineSearch::default() }).unwrap();
    let marked: Vec<u64> = page.items.iter().filter(|line| line.matched).map(|line| line.id.0).collect();
    assert_eq!((page.items.len(), marked.len()), (100, 10));
    assert!(marked.iter().all(|id| id % 10 == 0));
}

#[test]
fn a_request_looks_at_a_bounded_number_of_lines_and_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let lines = Lines::open(dir.path(), Caps::default()).unwrap();
    let block: Vec<_> = (0..50_000).map(|_| line(0, "hay")).collect();
    for _ in 0..5 {
        lines.append(&block).unwrap();
    }
    lines.append(&[line(1, "needle")]).unwrap();
    for context in [0, 2] {
        let ask = LineSearch { query: parse("needle").unwrap(), context, ..LineSearch::default() };
        let pages = pages(&lines, ask);
        assert!(pages.len() > 1);
        assert_eq!(pages.concat(), (250_001 - u64::from(context)..=250_001).collect::<Vec<_>>());
    }
}

#[test]
fn a_damaged_block_is_left_out_with_a_line_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    let other = Connection::open(dir.path().join("logs.db")).unwrap();
    other.execute("UPDATE blocks SET body = x'00ff00ff' WHERE first_id = 8", []).unwrap();
    other.execute("UPDATE blocks SET raw_len = 9223372036854775807 WHERE first_id = 15", []).unwrap();
    let page = lines.search(&LineSearch::default()).unwrap();
    assert_eq!(page.items.len(), 100 - 14 + 2);
    assert_eq!(page.items[7].event.message.raw(), "lines 8 to 14 are damaged on disk and cannot be shown");
    let mut seen = Vec::new();
    lines.replay(LineId(6), &mut |id, _| seen.push(id.0)).unwrap();
    assert_eq!(seen, [6, 7].into_iter().chain(22..=100).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_no_database_is_put_aside_and_numbers_are_not_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("logs.db"), vec![b'x'; 40_000]).unwrap();
    let lines = Lines::open(dir.path(), Caps::default()).unwrap();
    lines.start_after(LineId(500));
    assert_eq!(lines.append(&[line(0, "new")]).unwrap(), LineId(501)..LineId(502));
    assert!(dir.path().join("logs.db.broken").exists());
}

#[test]
fn old_lines_and_lines_beyond_the_cap_go_but_never_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let lines = Lines::open(dir.path(), Caps { age_ms: HOUR, bytes: u64::MAX }).unwrap();
    for hour in 0..5 {
        lines.append(&[line(hour * HOUR, "x"), line(hour * HOUR, "y")]).unwrap();
    }
    assert_eq!(lines.sweep(at(3 * HOUR)).unwrap(), 2);
    assert_eq!(numbers(&lines.search(&LineSearch::default()).unwrap()), [5, 6, 7, 8, 9, 10]);
    drop(lines);
    let lines = Lines::open(dir.path(), Caps { age_ms: HOUR, bytes: 1 }).unwrap();
    assert_eq!(lines.sweep(at(0)).unwrap(), 2);
    assert_eq!(lines.sweep(at(99 * HOUR)).unwrap(), 0);
    assert_eq!(lines.append(&[line(9 * HOUR, "z")]).unwrap(), LineId(11)..LineId(12));
}

#[test]
fn the_first_line_since_a_time_is_one_from_which_nothing_later_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let lines = hundred(dir.path());
    assert_eq!(lines.first_since(at(150)).unwrap(), Some(LineId(15)));
    assert_eq!(lines.first_since(at(5000)).unwrap(), None);
}

#[test]
fn what_append_returned_for_survives_a_kill_in_the_middle_of_the_load() {
    if let Some(dir) = std::env::var_os(CHILD) {
        append_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lines::tests::what_append_returned_for_survives_a_kill_in_the_middle_of_the_load"])
            .arg("--nocapture")
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut kept = said.by_ref().map_while(Result::ok).filter_map(|said| said.strip_prefix("kept ")?.parse().ok());
        let acknowledged: u64 = kept.by_ref().nth(50 * round).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = kept.last().unwrap_or(acknowledged);
        let lines = Lines::open(dir.path(), Caps::default()).unwrap();
        let newest = lines.newest().unwrap().line.0;
        assert!(newest >= acknowledged, "round {round}: {newest} kept, {acknowledged} acknowledged");
        let mut seen = 0;
        lines.replay(LineId(1), &mut |_, _| seen += 1).unwrap();
        assert_eq!(seen, newest);
    }
}

fn append_until_killed(dir: &Path) -> ! {
    let lines = Lines::open(dir, Caps::default()).unwrap();
    let mut out = std::io::stdout();
    for n in lines.newest().map_or(0, |newest| newest.line.0 as i64).. {
        let kept = lines.append(&[line(n, "a line that must not be lost"), line(n, "and another one")]).unwrap();
        writeln!(out, "\nkept {}", kept.end.0 - 1).unwrap();
        out.flush().unwrap();
    }
    panic!("the parent never killed this process")
}
