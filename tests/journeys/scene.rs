//! A console without a world: a model, a clock that the test moves, and keys.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use stella_protocol::evidence::{Correlated, EvidenceSeries, Similar, Template};
use stella_protocol::feed::{Heartbeat, Hello};
use stella_protocol::health::EngineClock;
use stella_protocol::series::{Baseline, SeriesKind, Spread};
use stella_protocol::{
    Activity, Alert, AlertType, Brief, Category, Cursor, Deploy, DeploySource, Envelope, Evidence, FeedEvent, Figure,
    Health, HealthStatus, LineId, LogEvent, LogLink, Measure, Point, Reason, Role, Sample, SampleRole, Series,
    Severity, Snapshot, Status, Timestamp,
};
use stella_tui::board::link::LinkState;
use stella_tui::effect::{Effect, Query, Reply, RequestId};
use stella_tui::event::{Event, LinkEvent, Now};
use stella_tui::frame;
use stella_tui::keys::{Key, KeyCode};
use stella_tui::model::{Model, Setup};
use stella_tui::theme::Theme;

/// 14:32:00 UTC on some day.
pub const NOON: i64 = 1_790_001_120_000;

pub struct Scene {
    pub model: Model,
    pub now: Now,
    pub effects: Vec<Effect>,
}

pub fn setup() -> Setup {
    Setup {
        badge: "PROD".into(),
        console: "con-mine".parse().unwrap(),
        host: "bastion-2".into(),
        watching: "prod.example".into(),
        me: "sre-1".into(),
        coach: vec!["first".into(), "second".into(), "third".into()],
        readonly: false,
        embedded: false,
        theme: Theme::named("dark").unwrap(),
        ascii: false,
        first_run: false,
        local_time: false,
    }
}

impl Scene {
    pub fn new(width: u16, height: u16) -> Self {
        Self::with(setup(), width, height)
    }

    pub fn with(setup: Setup, width: u16, height: u16) -> Self {
        let now = Now { wall: Timestamp::from_millis(NOON), steady: 100_000 };
        Self { model: Model::new(setup, width, height), now, effects: Vec::new() }
    }

    /// A console that is live with these alerts, as `sre-1`, a responder.
    pub fn live(width: u16, height: u16, alerts: Vec<Alert>) -> Self {
        let mut scene = Self::new(width, height);
        scene.event(Event::Link(LinkEvent::Connecting));
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(snapshot(alerts, scene.now.wall)))));
        scene.event(Event::Link(LinkEvent::Opened));
        scene.feed(FeedEvent::Hello(hello(scene.now.wall)));
        scene
    }

    pub fn event(&mut self, event: Event) {
        let effects = self.model.update(self.now, event);
        self.effects.extend(effects);
    }

    pub fn feed(&mut self, event: FeedEvent) {
        self.event(Event::Feed(Box::new(Envelope { cursor: None, event })));
    }

    /// Time passes with heartbeats, so that the link stays live.
    pub fn rest(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now.wall = self.now.wall.plus_millis(1000);
            self.now.steady += 1000;
            self.beat();
        }
        self.event(Event::Tick);
    }

    /// Types keys: letters as they are, `<Enter>`, `<Esc>`, `<C-d>` in angle brackets; half a second apart.
    pub fn keys(&mut self, typed: &str) {
        let mut rest = typed;
        while let Some(letter) = rest.chars().next() {
            let (key, length) = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((name, _)) if name.len() > 1 => (named(name), name.len() + 2),
                _ => (Key::char(letter), letter.len_utf8()),
            };
            rest = &rest[length..];
            self.now.wall = self.now.wall.plus_millis(500);
            self.now.steady += 500;
            self.event(Event::Key(key));
            self.beat();
        }
    }

    /// A heartbeat, when there is a link for it.
    fn beat(&mut self) {
        if self.model.board.link.state(self.now) == LinkState::Live {
            let beat = Heartbeat { head: 1, server_time: self.now.wall, health: None, engine: None };
            self.feed(FeedEvent::Heartbeat(beat));
        }
    }

    /// Answers the last request of a kind.
    pub fn answer(&mut self, reply: impl Fn(&Query) -> Option<Reply>) {
        let found = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Fetch(id, query) => reply(query).map(|reply| (*id, reply)),
            _ => None,
        });
        let (id, reply) = found.expect("nothing of this kind was asked");
        self.event(Event::Reply(id, Box::new(reply)));
    }

    /// The last command sent, with its id.
    pub fn sent(&self) -> Option<(RequestId, stella_tui::effect::Command)> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Send(id, command) => Some((*id, command.clone())),
            _ => None,
        })
    }

    pub fn buffer(&self) -> Buffer {
        let (width, height) = self.model.ui.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        frame::draw(&self.model, self.now, &mut buffer);
        buffer
    }

    /// The screen as text, trailing blanks cut.
    pub fn screen(&self) -> String {
        text(&self.buffer())
    }
}

pub fn text(buffer: &Buffer) -> String {
    let mut rows = Vec::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            x += stella_widgets::text::width(symbol).max(1);
        }
        rows.push(row.trim_end().to_owned());
    }
    rows.join("\n")
}

fn named(name: &str) -> Key {
    match name {
        "Enter" => Key::plain(KeyCode::Enter),
        "Tab" => Key::plain(KeyCode::Tab),
        "S-Tab" => Key::plain(KeyCode::BackTab),
        "Esc" => Key::plain(KeyCode::Esc),
        "Left" => Key::plain(KeyCode::Left),
        "Right" => Key::plain(KeyCode::Right),
        "Home" => Key::plain(KeyCode::Home),
        "End" => Key::plain(KeyCode::End),
        "PgDn" => Key::plain(KeyCode::PageDown),
        "PgUp" => Key::plain(KeyCode::PageUp),
        _ => Key::ctrl(name.chars().last().unwrap()),
    }
}

pub fn hello(at: Timestamp) -> Hello {
    Hello {
        epoch: 7,
        head: 1,
        oldest: 1,
        server_time: at,
        heartbeat_ms: 5000,
        server_version: "0.1.0".into(),
        schema: 1,
        principal: "sre-1".into(),
        role: Role::Responder,
        capabilities: Vec::new(),
    }
}

pub fn snapshot(alerts: Vec<Alert>, at: Timestamp) -> Snapshot {
    Snapshot {
        cursor: Cursor { epoch: 7, seq: 1 },
        server_time: at,
        health: Health { status: HealthStatus::Degraded, reason: "2 critical alerts are open".into() },
        engine: EngineClock { last: Some(at), recording: false, lines: 31_442 },
        alerts,
        fixes: Vec::new(),
        remedy: stella_protocol::Remedy::default(),
        migrations: Vec::new(),
        presence: Vec::new(),
        deploys: Vec::new(),
        rules: Vec::new(),
        series: vec![
            series("op.get_shared_agents.p95", "get_shared_agents p95", "ms", Some(200.0), at, 734.0),
            series("errors.percent", "errors", "%", None, at, 1.2),
            series("events.rate", "events", "1/s", None, at, 9.4),
        ],
    }
}

pub fn series(id: &str, name: &str, unit: &str, limit: Option<f64>, at: Timestamp, last: f64) -> Series {
    let start = at.millis() / 60_000 * 60_000 - 29 * 60_000;
    let points = (0..30_i32).map(|minute| {
        let time = Timestamp::from_millis(start + i64::from(minute) * 60_000);
        let value = if minute < 18 { last / 6.0 } else { last / 6.0 * (1.0 + f64::from(minute - 17) * 5.0 / 12.0) };
        match minute {
            7 => Point::gap(time),
            12 => Point { at: time, value: Some(Spread { mean: value, min: value / 2.0, max: last * 1.3 }) },
            _ => Point::single(time, value),
        }
    });
    Series {
        id: id.to_owned().into(),
        name: name.to_owned().into(),
        unit: unit.to_owned().into(),
        kind: SeriesKind::Quantile,
        labels: BTreeMap::new(),
        step_ms: 60_000,
        points: points.collect(),
        limit,
        baseline: None,
        last: Some(last),
    }
}

pub fn alert(id: &str, severity: Severity, minutes: i64, service: &str, title: &str) -> Alert {
    let first = Timestamp::from_millis(NOON - minutes * 60_000 - 5_000);
    let spark = (0..30_i64).map(|at| {
        if at == 4 { None } else { Some(if at < 30 - minutes { 3.0 } else { (at - 29 + minutes) as f64 * 4.0 }) }
    });
    Alert {
        id: id.parse().unwrap(),
        fingerprint: title.to_owned().into(),
        episode: 1,
        kind: AlertType::PerformanceDegradation,
        category: Category::Performance,
        severity,
        title: title.to_owned().into(),
        description: "".into(),
        service: service.to_owned().into(),
        operation: Some("get_shared_agents".into()),
        labels: [("operation".to_owned(), "get_shared_agents".into())].into(),
        rule_id: "slow_operation".into(),
        parent_id: None,
        children: Vec::new(),
        suggested_actions: vec![
            "look at the query plan of get_shared_agents".into(),
            "compare with the last deploy".into(),
        ],
        auto_fix_available: false,
        fixes: Vec::new(),
        affected_users: vec!["ana@example.com".into()],
        affected_user_count: 14,
        status: Status::New,
        activity: Activity::Firing,
        assignee: None,
        acknowledged_at: None,
        acknowledged_by: None,
        ack_expires_at: None,
        snoozed_until: None,
        snooze_condition: None,
        resolved_at: None,
        resolved_by: None,
        resolution_notes: None,
        still_matching_since: None,
        notes: Vec::new(),
        occurrences: 812,
        first_seen: first,
        last_seen: Timestamp::from_millis(NOON - 1000),
        detected_at: first.plus_millis(4000),
        created_at: first.plus_millis(4100),
        reopened: 0,
        related: Vec::new(),
        tickets: Vec::new(),
        runbook: None,
        links: Vec::new(),
        scope: stella_protocol::alert::Scope::default(),
        source: "demo".into(),
        version: 3,
        brief: Brief {
            observed: Some(734.0),
            baseline: Some(118.0),
            threshold: Some(200.0),
            unit: "ms".into(),
            onset: Some(first),
            spark: spark.collect(),
            reasons_for: 3,
            reasons_against: 1,
            evidence_version: 1,
        },
    }
}

/// Mixed severities and states, worst first.
pub fn morning() -> Vec<Alert> {
    let mut taken = alert("a-0000003", Severity::Critical, 9, "auth", "login: 14 failures from 203.0.113.9");
    taken.status = Status::Acknowledged;
    taken.acknowledged_by = Some("op2".into());
    taken.acknowledged_at = Some(Timestamp::from_millis(NOON - 300_000));
    let mut quiet = alert("a-0000005", Severity::High, 12, "ai", "gemini_api_call p50 4.1 s (limit 2 s)");
    quiet.activity = Activity::Quiet { since: Timestamp::from_millis(NOON - 240_000) };
    vec![
        alert("a-0000001", Severity::Critical, 2, "api", "get_shared_agents p50 734 ms (limit 200 ms)"),
        taken,
        alert("a-0000004", Severity::High, 3, "store", "firestore_query: 31 of 40 calls failed"),
        quiet,
        alert("a-0000006", Severity::Medium, 26, "web", "ana@example.com failed 5 times at settings_save"),
        alert("a-0000007", Severity::Low, 1, "jobs", "orphaned document in conversations"),
    ]
}

/// Two minutes before the alert of [`evidence`] began.
pub fn deploy() -> Deploy {
    Deploy {
        service: "api".into(),
        revision: "r8812".into(),
        at: Timestamp::from_millis(NOON - 243_000),
        by: Some("op2".into()),
        source: DeploySource::Told,
    }
}

/// The morning, when the first alert explains two others.
pub fn grouped() -> Vec<Alert> {
    let mut alerts = morning();
    let mut child = |id: &str, severity: Severity, title: &str| {
        let mut child = alert(id, severity, 1, "web", title);
        child.parent_id = Some("a-0000001".parse().unwrap());
        alerts[0].children.push(child.id.clone());
        alerts.push(child);
    };
    child("a-0000011", Severity::Medium, "list_agents p50 610 ms");
    child("a-0000012", Severity::High, "open_agent p50 1.9 s");
    alerts
}

/// Evidence with everything that there can be in it.
pub fn full_evidence() -> Evidence {
    let mut full = evidence();
    let usual = Baseline { low: 95.0, mid: 118.0, high: 320.0 };
    full.series.as_mut().unwrap().baseline = Some(usual);
    full.reasons[0].at = Timestamp::from_millis(NOON - 60_000);
    full.correlated = vec![
        Correlated {
            text: "list_agents p50 610 ms".into(),
            alert: Some("a-0000011".parse().unwrap()),
            offset_ms: 64_000,
        },
        Correlated { text: "deploy r8812 of api (op2)".into(), alert: None, offset_ms: -118_000 },
    ];
    full.similar = vec![
        Similar {
            alert: "a-31c0aaa".parse().unwrap(),
            at: Timestamp::from_millis(NOON - 9 * 86_400_000),
            outcome: "resolved by op2 after 14m".into(),
            fixed_by: Some("fx-31 roll back r8711".into()),
        },
        Similar {
            alert: "a-2222222".parse().unwrap(),
            at: Timestamp::from_millis(NOON - 40 * 86_400_000),
            outcome: "ended by itself".into(),
            fixed_by: None,
        },
        Similar {
            alert: "a-3333333".parse().unwrap(),
            at: Timestamp::from_millis(NOON - 50 * 86_400_000),
            outcome: "called false by bo: a drill".into(),
            fixed_by: Some("a drill".into()),
        },
    ];
    full.template.as_mut().unwrap().examples = vec!["get_shared_agents".into(), "734".into(), "200".into()];
    full
}

pub fn link(q: &str) -> LogLink {
    let (from, to) = (Timestamp::from_millis(NOON - 300_000), Timestamp::from_millis(NOON));
    LogLink { q: q.to_owned().into(), from, to, up_to: Some(LineId(900)) }
}

pub fn evidence() -> Evidence {
    let figure = |name: &str, value: f64, unit: &str, measure: Measure| Figure {
        name: name.to_owned().into(),
        value,
        unit: unit.to_owned().into(),
        measure,
        lines: link("operation=\"get_shared_agents\""),
    };
    let reason = |text: &str, weight: f64| Reason {
        text: text.to_owned().into(),
        weight,
        at: Timestamp::from_millis(NOON - 120_000),
        figures: vec![figure(text, 41.0, "count", Measure::Count)],
    };
    let points = (0..180_i32).map(|at| {
        let time = Timestamp::from_millis(NOON - 1_800_000 + i64::from(at) * 10_000);
        if at == 60 {
            Point::gap(time)
        } else {
            Point::single(time, if at < 168 { 118.0 } else { 118.0 + f64::from(at - 167) * 56.0 })
        }
    });
    Evidence {
        summary: "Half of the calls of get_shared_agents take more than 734 ms; 118 ms is usual.".into(),
        rule_id: "slow_operation".into(),
        rule_version: 1,
        observed: Some(figure("median of the last minute", 734.0, "ms", Measure::MedianDuration)),
        baseline: Some(figure("median of the ten minutes before, 212 calls", 118.0, "ms", Measure::MedianDuration)),
        threshold: Some(200.0),
        unit: "ms".into(),
        from: Timestamp::from_millis(NOON - 300_000),
        to: Timestamp::from_millis(NOON),
        series: Some(EvidenceSeries {
            title: "get_shared_agents, mean duration".into(),
            unit: "ms".into(),
            step_ms: 10_000,
            points: points.collect(),
            limit: Some(200.0),
            baseline: None,
            onset: Some(Timestamp::from_millis(NOON - 125_000)),
        }),
        reasons: vec![
            reason("41 of 44 calls took more than 200 ms", 0.9),
            reason("14 users were touched", 0.4),
            reason("error share unchanged, 0.0 %", -0.1),
        ],
        samples: vec![Sample {
            line: LineId(812),
            role: SampleRole::First,
            event: LogEvent {
                engine_time: Timestamp::from_millis(NOON - 125_000),
                message: "Slow get_shared_agents: 734ms (threshold: 200ms)".into(),
                ..LogEvent::default()
            },
        }],
        template: Some(Template {
            text: "Slow <*>: <*>ms (threshold: <*>ms)".into(),
            count: 41,
            examples: vec!["734".into()],
        }),
        correlated: Vec::new(),
        similar: Vec::new(),
        lines: link("operation=\"get_shared_agents\""),
        refreshed_at: Timestamp::from_millis(NOON),
        version: 1,
    }
}
