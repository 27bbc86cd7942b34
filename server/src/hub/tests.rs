//! The hub as its callers see it, on a real store.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod fixes;
mod groups;
mod migrations;
mod presence;
mod rules;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stella_protocol::feed::{DiagnosticLog, Heartbeat, LogLineEvent, ResetReason};
use stella_protocol::health::EngineClock;
use stella_protocol::{
    ActionRequest, ActionResponse, Alert, AlertId, Category, Code, Cursor, FeedEvent, Level, LineId, LogEvent, Outcome,
    Principal, Role, Severity, Status, Target, Text, Timestamp, Untrusted, Verb, query,
};
use tempfile::TempDir;

use super::{Answer, CursorAsk, Delivery, Filter, Hub, Kinds, Subscription};
use crate::alerts::sample::finding;
use crate::clock::Clock;
use crate::store::{Meta, SqliteStore, Store};

const START: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

struct House {
    hub: Hub,
    store: Arc<SqliteStore>,
    clock: Clock,
    thread: JoinHandle<()>,
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Clock::scripted(Timestamp::from_millis(START)))
    }

    fn open(folder: TempDir, clock: Clock) -> Self {
        let store = Arc::new(SqliteStore::open(folder.path(), clock.now()).unwrap());
        let (hub, thread) = Hub::start(Arc::clone(&store) as Arc<dyn Store>, clock.clone()).unwrap();
        Self { hub, store, clock, thread, folder }
    }

    fn reopened(self) -> Self {
        self.hub.stop();
        self.thread.join().unwrap();
        drop(self.hub);
        // A feed that was dropped may still be reading a page: the folder is free when that is over.
        let mut shared = self.store;
        while let Err(store) = Arc::try_unwrap(shared) {
            shared = store;
            std::thread::yield_now();
        }
        Self::open(self.folder, self.clock)
    }

    /// One match of each fingerprint at `at`, as line `line`.
    fn finds(&self, fingerprints: &[&str], at: i64, line: u64) {
        let findings = fingerprints.iter().map(|fingerprint| finding(fingerprint, at)).collect();
        self.hub.apply(findings, LineId(line), Timestamp::from_millis(at), engine(at, line)).unwrap();
    }

    /// `count` new alerts.
    fn many(&self, count: usize) -> Vec<Alert> {
        let names: Vec<String> = (0..count).map(|number| format!("f{number}")).collect();
        self.finds(&names.iter().map(String::as_str).collect::<Vec<_>>(), START, 1);
        self.hub.snapshot().1
    }

    fn now(&self, alert: &Alert) -> Alert {
        self.hub.alert(&alert.id).unwrap().unwrap()
    }
}

fn engine(at: i64, lines: u64) -> EngineClock {
    EngineClock { last: Some(Timestamp::from_millis(at)), recording: false, lines }
}

fn who(name: &str, role: Role) -> Principal {
    Principal { name: Text::new(name.to_owned()), role }
}

fn ask(verb: Verb, alerts: &[Alert]) -> ActionRequest {
    let targets = alerts.iter().map(|alert| Target { id: alert.id.clone(), version: alert.version }).collect();
    ActionRequest { verb, targets, text: Some(Text::new("because")), part: None }
}

fn outcomes(answer: &Answer<ActionResponse>) -> Vec<Outcome> {
    answer.body.results.iter().map(|result| result.outcome).collect()
}

/// The frames that come next: id, name, body.
async fn frames(subscription: &mut Subscription) -> Vec<(Option<Cursor>, String, String)> {
    let next = tokio::time::timeout(Duration::from_secs(20), subscription.next()).await.unwrap();
    let Delivery::Frames(bytes) = next else { panic!("{next:?}") };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let read = |frame: &str| {
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let id = field("id: ").map(|id| id.parse().unwrap());
        assert!(id.is_none() || frame.starts_with("id: "), "{frame}");
        (id, field("event: ").unwrap_or_default(), field("data: ").unwrap())
    };
    text.strip_suffix("\n\n").unwrap().split("\n\n").map(read).collect()
}

/// Waits for the first frame of a name.
async fn named(subscription: &mut Subscription, name: &str) -> String {
    loop {
        if let Some((_, _, body)) = frames(subscription).await.into_iter().find(|(_, found, _)| found == name) {
            return body;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_acknowledge_one_wins_and_the_other_learns_who() {
    let house = House::new();
    let alerts = house.many(50);
    for alert in alerts {
        let race = |name: &'static str| {
            let (hub, ask) = (house.hub.clone(), ask(Verb::Acknowledge, std::slice::from_ref(&alert)));
            tokio::spawn(async move {
                hub.act(&who(name, Role::Responder), &format!("{name}-{}", ask.targets[0].id), ask).await.unwrap()
            })
        };
        let (ana, ben) = (race("ana"), race("ben"));
        let (ana, ben) = (ana.await.unwrap(), ben.await.unwrap());
        let (winner, loser) = if outcomes(&ana) == [Outcome::Done] { ("ana", ben) } else { ("ben", ana) };
        assert_eq!(outcomes(&loser), [Outcome::Conflict]);
        let problem = loser.body.results[0].problem.clone().unwrap();
        assert_eq!(problem.code, Code::AlreadyAcknowledged);
        assert_eq!(problem.title.raw(), format!("{winner} has it already"));
        assert_eq!(house.now(&alert).acknowledged_by.unwrap().raw(), winner);
    }
    let rows = house.store.audit(0, 1000).unwrap();
    let won = |verdict: &str| rows.iter().filter(|row| row.verb == "acknowledge" && row.verdict == verdict).count();
    assert_eq!((won("done"), won("conflict")), (50, 50));
    assert_eq!(house.store.verify_audit().unwrap(), Ok(rows.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_acts_once_also_after_a_restart() {
    let house = House::new();
    let (alerts, ana) = (house.many(1), who("ana", Role::Responder));
    let resolve = ask(Verb::Resolve, &alerts);
    let pair = tokio::join!(house.hub.act(&ana, "k", resolve.clone()), house.hub.act(&ana, "k", resolve.clone()));
    let (first, again) = (pair.0.unwrap(), pair.1.unwrap());
    assert_eq!((first.replayed, again.replayed, &first.body), (false, true, &again.body));
    let head = house.hub.head();
    let house = house.reopened();
    let later = house.hub.act(&ana, "k", resolve.clone()).await.unwrap();
    assert_eq!((later.replayed, later.body, house.hub.head()), (true, first.body, head));
    let other = house.hub.act(&ana, "k", ask(Verb::Reopen, &alerts)).await.unwrap_err();
    assert_eq!(other.code, Code::KeyReused);
    let bens = house.hub.act(&who("ben", Role::Responder), "k", resolve).await.unwrap();
    assert_eq!((bens.replayed, outcomes(&bens)), (false, vec![Outcome::Conflict]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_answers_for_each_target_and_undo_brings_back_what_nobody_changed() {
    let house = House::new();
    let (mut alerts, ana) = (house.many(3), who("ana", Role::Responder));
    alerts[1].version = 9;
    let mut unknown = alerts[0].clone();
    unknown.id = "a-zzzzzzz".parse::<AlertId>().unwrap();
    alerts.push(unknown);
    let done = house.hub.act(&ana, "bulk", ask(Verb::Resolve, &alerts)).await.unwrap();
    assert_eq!(outcomes(&done), [Outcome::Done, Outcome::Conflict, Outcome::Done, Outcome::NotFound]);
    let changed = house.now(&alerts[2]);
    house.hub.act(&ana, "reopen", ask(Verb::Reopen, &[changed])).await.unwrap();

    let id = done.body.action_id.clone();
    let stranger = house.hub.undo(&who("ben", Role::Responder), "u", id.clone()).await.unwrap_err();
    assert_eq!(stranger.code, Code::Forbidden);
    let undone = house.hub.undo(&ana, "u", id.clone()).await.unwrap();
    assert_eq!(outcomes(&undone), [Outcome::Done, Outcome::Conflict]);
    let problem = undone.body.results[1].problem.clone().unwrap();
    assert_eq!((problem.code, problem.title.raw()), (Code::VersionConflict, "something came after that action"));
    let back = house.now(&alerts[0]);
    assert_eq!((back.status, back.version, back.resolved_by), (Status::New, 3, None));
    assert_eq!(house.hub.undo(&ana, "u", id.clone()).await.unwrap().body, undone.body);
    let twice = house.hub.undo(&ana, "u2", id.clone()).await.unwrap_err();
    assert_eq!(twice.code, Code::AlreadyUndone);
    let mine = house.hub.actions(Some("ana"), 10).unwrap();
    let open: Vec<bool> = mine.iter().map(|action| action.undo_until.is_some()).collect();
    assert_eq!(open, [true, false], "newest first: the reopen can be taken back, the resolve was");

    house.clock.advance_to(Timestamp::from_millis(START + 24 * 60 * MINUTE));
    let late = house.hub.undo(&ana, "u3", mine[0].id.clone()).await.unwrap_err();
    assert_eq!(late.code, Code::UndoExpired);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_does_not_allow_is_refused_and_noted() {
    let house = House::new();
    let alerts = house.many(1);
    let refused = house.hub.act(&who("eve", Role::Viewer), "k", ask(Verb::Resolve, &alerts)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    assert_eq!(house.now(&alerts[0]).status, Status::New);
    let last = house.store.audit(1, 10).unwrap().pop().unwrap();
    assert_eq!((last.principal.raw(), &*last.verdict, &*last.verb), ("eve", "denied", "resolve"));
    for (bad, code) in [
        (ActionRequest { targets: Vec::new(), ..ask(Verb::Resolve, &alerts) }, Code::BadBody),
        (ActionRequest { text: None, ..ask(Verb::Note, &alerts) }, Code::BadBody),
        (ActionRequest { text: Some(Text::new("x".repeat(3000))), ..ask(Verb::Note, &alerts) }, Code::TooLarge),
        (
            ActionRequest {
                targets: vec![ask(Verb::Note, &alerts).targets[0].clone(); 1001],
                ..ask(Verb::Note, &alerts)
            },
            Code::TooManyTargets,
        ),
    ] {
        let refused = house.hub.act(&who("ana", Role::Responder), "k2", bad).await.unwrap_err();
        assert_eq!(refused.code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_told_without_an_event_and_kept_together_with_their_line() {
    let house = House::new();
    let mut reader = house.hub.subscribe(CursorAsk::None);
    house.finds(&["f"], START, 10);
    let opened: Alert = serde_json::from_str(&named(&mut reader, "alert").await).unwrap();
    let head = house.hub.head();
    for line in 11..=15 {
        house.finds(&["f"], START + 1000, line);
    }
    assert_eq!((house.now(&opened).occurrences, house.hub.head()), (6, head));
    let evidence = house.hub.evidence(&opened.id).unwrap().unwrap();
    assert_eq!(evidence.version, house.now(&opened).brief.evidence_version);
    let counts = named(&mut reader, "alert_counts").await;
    assert!(counts.contains("\"occurrences\":6"), "{counts}");

    house.finds(&["f"], START + 2000, 16);
    house.hub.act(&who("ana", Role::Responder), "k", ask(Verb::Acknowledge, &[house.now(&opened)])).await.unwrap();
    let kept = house.store.alert(&opened.id).unwrap().unwrap().alert;
    let line = house.store.meta(Meta::AppliedLine).unwrap().unwrap();
    assert_eq!((kept.occurrences, line.as_str()), (7, "16"), "an action keeps counts only with their line");

    house.finds(&["f"], START + 3000, 17);
    drop(reader);
    let house = house.reopened();
    let kept = house.now(&opened);
    assert_eq!((kept.occurrences, kept.status, house.hub.applied_line()), (8, Status::Acknowledged, LineId(17)));
    assert_eq!(house.hub.engine_clock(), engine(START + 3000, 17));
    assert_eq!(house.hub.evidence(&opened.id).unwrap().unwrap().version, kept.brief.evidence_version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_comes_late_misses_nothing_and_sees_nothing_twice() {
    let house = House::new();
    let alerts = house.many(1);
    let (hub, busy) = (house.hub.clone(), house.now(&alerts[0]));
    let total = 1500_u64;
    let writer = tokio::spawn(async move {
        let ana = who("ana", Role::Responder);
        let mut alert = busy;
        for number in 1..total {
            let verb = if alert.status == Status::New { Verb::Acknowledge } else { Verb::Release };
            let answer = hub.act(&ana, &number.to_string(), ActionRequest { text: None, ..ask(verb, &[alert]) }).await;
            alert = *answer.unwrap().body.results.remove(0).alert.unwrap();
        }
    });
    let (mut readers, mut changed) = (Vec::new(), house.hub.changed());
    for start in [1, 2, 300, 700, 1200] {
        while house.hub.head().cursor.seq < start {
            changed.changed().await.unwrap();
        }
        for from in [0, start / 2, start] {
            let cursor = Cursor { epoch: house.hub.head().cursor.epoch, seq: from };
            let mut reader = house.hub.subscribe(CursorAsk::At(cursor));
            readers.push(tokio::spawn(async move {
                let mut seen = from;
                while seen < total {
                    for (id, name, body) in frames(&mut reader).await {
                        let Some(id) = id else { continue };
                        assert_eq!((id.seq, name.as_str()), (seen + 1, "alert"));
                        let alert: Alert = serde_json::from_str(&body).unwrap();
                        assert_eq!(alert.version, id.seq);
                        seen = id.seq;
                    }
                }
            }));
        }
    }
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_the_events_after_it_give_the_present() {
    let house = House::new();
    let alerts = house.many(20);
    let hub = house.hub.clone();
    let writer = tokio::spawn(async move {
        for (number, alert) in alerts.iter().cycle().take(400).enumerate() {
            let now = hub.alert(&alert.id).unwrap().unwrap();
            let verb = if now.status == Status::New { Verb::Acknowledge } else { Verb::Release };
            hub.act(&who("ana", Role::Responder), &number.to_string(), ask(verb, &[now])).await.unwrap();
        }
    });
    let mut looks = Vec::new();
    while !writer.is_finished() {
        let look = house.hub.snapshot();
        if looks.last().is_none_or(|(last, _): &(Cursor, Vec<Alert>)| look.0.seq >= last.seq + 20) {
            looks.push(look);
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    let (end, mut present) = house.hub.snapshot();
    present.sort_by(|one, two| one.id.cmp(&two.id));
    for (cursor, mut alerts) in looks {
        let mut reader = house.hub.subscribe(CursorAsk::At(cursor));
        let mut seq = cursor.seq;
        while seq < end.seq {
            for (id, _, body) in frames(&mut reader).await {
                let Some(id) = id else { continue };
                let new: Alert = serde_json::from_str(&body).unwrap();
                alerts.iter_mut().filter(|alert| alert.id == new.id).for_each(|alert| alert.clone_from(&new));
                seq = id.seq;
            }
        }
        alerts.sort_by(|one, two| one.id.cmp(&two.id));
        assert_eq!(alerts, present);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_cannot_be_honoured_is_answered_by_a_reset_and_goes_on_live() {
    let house = House::new();
    house.many(3);
    let Cursor { epoch, seq } = house.hub.head().cursor;
    let at = |epoch, seq| CursorAsk::At(Cursor { epoch, seq });
    for (number, (asked, reason)) in [
        (at(epoch, seq + 1), ResetReason::CursorAhead),
        (at(epoch, u64::MAX), ResetReason::CursorAhead),
        (at(epoch + 1, 1), ResetReason::EpochChanged),
        (CursorAsk::Malformed, ResetReason::Malformed),
    ]
    .into_iter()
    .enumerate()
    {
        let mut reader = house.hub.subscribe(asked);
        let [(None, name, body)] = &frames(&mut reader).await[..] else { panic!("one frame") };
        let wanted = format!("{{\"reason\":{}}}", serde_json::to_string(&reason).unwrap());
        assert_eq!((name.as_str(), body), ("reset", &wanted));
        house.finds(&[&format!("live{number}")], START, 2);
        let live = frames(&mut reader).await;
        assert_eq!(live[0].0, Some(house.hub.head().cursor));
    }
    let day = 24 * 60 * MINUTE;
    house.store.sweep(&crate::store::Retention::default(), Timestamp::from_millis(START + 8 * day)).unwrap();
    let house = house.reopened();
    let mut reader = house.hub.subscribe(at(epoch, 1));
    assert_eq!(named(&mut reader, "reset").await, "{\"reason\":\"gap\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_reader_is_shown_the_last_logs_first_and_a_filter_hides_them() {
    let house = House::new();
    let say = |number: usize| {
        house.hub.publish(FeedEvent::Log(Box::new(DiagnosticLog {
            timestamp: Timestamp::from_millis(START),
            level: Level::Warn,
            category: Category::Performance,
            message: Text::new(format!("line\r\n{number}")),
            severity: Severity::High,
            suggested_actions: Vec::new(),
            auto_fix_available: false,
            metadata: serde_json::Map::new(),
        })));
    };
    let alerts_only = || Filter { kinds: Kinds::read("alert"), ..Filter::default() };
    say(0);
    let mut beside_one = house.hub.subscribe(CursorAsk::None).only(alerts_only());
    let mut reset = house.hub.subscribe(CursorAsk::Malformed).only(alerts_only());
    (1..30).for_each(say);
    assert_eq!(frames(&mut reset).await[0].1, "reset", "the stream's own is never hidden");
    let shown = frames(&mut house.hub.subscribe(CursorAsk::None)).await;
    assert_eq!(shown.len(), 20);
    assert!(shown.iter().all(|(id, name, _)| id.is_none() && name.is_empty()));
    assert!(shown[19].2.contains("line\\r\\n29"), "{:?}", shown[19]);
    let mut beside_many = house.hub.subscribe(CursorAsk::None).only(alerts_only());
    house.finds(&["f"], START, 1);
    assert_eq!(frames(&mut beside_one).await[0].1, "alert", "a lone log is hidden too");
    assert_eq!(frames(&mut beside_many).await[0].1, "alert");
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_lines_go_to_those_who_ask_and_what_they_missed_is_counted() {
    let house = House::new();
    assert!(!house.hub.wants_lines());
    let lines = query::parse("level=ERROR").unwrap();
    let mut reader = house.hub.subscribe(CursorAsk::None).only(Filter { kinds: Kinds::read("log_line"), lines });
    assert!(house.hub.wants_lines());
    let say = |level, message: String| {
        let event = LogEvent { level, message: Untrusted::from(message), ..LogEvent::default() };
        house.hub.publish(FeedEvent::LogLine(Box::new(LogLineEvent { event, skipped: 0 })));
    };
    (0..1100).for_each(|number| say(Level::Info, number.to_string()));
    say(Level::Error, "boom".to_owned());
    let got = frames(&mut reader).await;
    assert_eq!((got.len(), got[0].1.as_str()), (1, "log_line"));
    assert!(got[0].2.contains("boom") && got[0].2.contains("\"skipped\":77"), "{:?}", got[0]);
    drop(reader);
    assert!(!house.hub.wants_lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_ends_an_alert_and_a_match_soon_after_opens_it_again() {
    let house = House::new();
    let alert = house.many(1).remove(0);
    let mut reader = house.hub.subscribe(CursorAsk::None);
    house.hub.tick(Timestamp::from_millis(START + 10 * MINUTE));
    let ended: Alert = serde_json::from_str(&named(&mut reader, "alert").await).unwrap();
    assert_eq!((ended.status, ended.resolved_by.unwrap().raw()), (Status::Resolved, "system"));
    house.finds(&["f0"], START + 15 * MINUTE, 2);
    let back = house.now(&alert);
    assert_eq!((back.status, back.reopened, back.occurrences, back.episode), (Status::New, 1, 2, 1));
    house.finds(&["f0"], START + 60 * MINUTE, 3);
    assert_eq!(house.now(&alert).status, Status::Resolved, "the hour of quiet is noticed late, but noticed");
    let next = house.store.latest("f0").unwrap().unwrap().alert;
    assert_eq!((next.status, next.episode, next.occurrences), (Status::New, 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_one_wave_name_one_another() {
    let house = House::new();
    let mut wave: Vec<_> = ["a", "b", "c"].iter().map(|name| finding(name, START)).collect();
    wave.iter_mut().take(2).for_each(|finding| finding.service = Text::new("pay"));
    house.hub.apply(wave, LineId(1), Timestamp::from_millis(START), engine(START, 1)).unwrap();
    let mut alerts = house.hub.snapshot().1;
    alerts.sort_by(|one, two| one.fingerprint.cmp(&two.fingerprint));
    let related: Vec<_> = alerts.iter().map(|alert| alert.related.clone()).collect();
    assert_eq!(related, [vec![alerts[1].id.clone()], vec![alerts[0].id.clone()], vec![]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_does_not_read_is_told_that_it_lags_and_holds_up_nobody() {
    let house = House::new();
    let mut stalled = house.hub.subscribe(CursorAsk::None);
    let mut quick = house.hub.subscribe(CursorAsk::None);
    for round in 0..11 {
        let names: Vec<String> = (0..100).map(|number| format!("{round}.{number}")).collect();
        house.finds(&names.iter().map(String::as_str).collect::<Vec<_>>(), START, round + 1);
        while quick.seq() < house.hub.head().cursor.seq {
            frames(&mut quick).await;
        }
    }
    assert_eq!(stalled.next().await, Delivery::Lagged);
    house.hub.stop();
    assert_eq!(quick.next().await, Delivery::Ended);
    house.thread.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_has_no_number() {
    let house = House::new();
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let beat = Heartbeat { head: 0, server_time: Timestamp::default(), health: None, engine: None };
    house.hub.publish(FeedEvent::Heartbeat(beat));
    let got = frames(&mut reader).await;
    assert_eq!((got[0].0, got[0].1.as_str(), house.hub.head().cursor.seq), (None, "heartbeat", 0));
}
