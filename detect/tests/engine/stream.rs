//! A stream of lines with seconds between them, and what the engine said.

use stella_detect::{Engine, Finding, Phase, Rules};
use stella_protocol::{LineId, LogEvent, Timestamp};

/// Where time begins, a whole second.
pub const START: i64 = 1_764_000_000_000;

pub struct Stream {
    pub engine: Engine,
    pub lines: Vec<(LineId, LogEvent<'static>)>,
    pub findings: Vec<Finding>,
    pub now: i64,
    second: i64,
}

impl Stream {
    pub fn new() -> Self {
        Self::with(Rules::default())
    }

    pub fn with(rules: Rules) -> Self {
        let engine = Engine::new(rules);
        Self { engine, lines: Vec::new(), findings: Vec::new(), now: START, second: START }
    }

    /// Lets `millis` pass, second by second.
    pub fn wait(&mut self, millis: i64) -> &mut Self {
        self.now += millis;
        while self.second + 1000 <= self.now {
            self.second += 1000;
            self.engine.advance(Timestamp::from_millis(self.second));
            self.findings.extend(self.engine.drain());
        }
        self
    }

    /// Lets `millis` pass at once, as in a hole of a recording.
    pub fn jump(&mut self, millis: i64) -> &mut Self {
        self.second = self.now + millis - 1000;
        self.wait(millis)
    }

    pub fn line(&mut self, mut event: LogEvent<'static>) -> &mut Self {
        event.engine_time = Timestamp::from_millis(self.now);
        let line = LineId(self.lines.len() as u64 + 1);
        self.engine.observe(line, &event);
        self.findings.extend(self.engine.drain());
        self.lines.push((line, event));
        self
    }

    /// Lines of `make`, one each `every` milliseconds.
    pub fn lines(&mut self, count: usize, every: i64, make: impl Fn(usize) -> LogEvent<'static>) -> &mut Self {
        for nth in 0..count {
            self.line(make(nth)).wait(every);
        }
        self
    }

    /// Rules of the findings, each once, in order.
    pub fn fired(&self) -> Vec<&'static str> {
        let mut fired: Vec<&'static str> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.phase == Phase::Firing) {
            if !fired.contains(&finding.rule_id) {
                fired.push(finding.rule_id);
            }
        }
        fired
    }

    pub fn last(&self, rule: &str) -> &Finding {
        self.findings.iter().rev().find(|finding| finding.rule_id == rule).unwrap()
    }
}

pub fn call(operation: &'static str, duration: f64) -> LogEvent<'static> {
    LogEvent {
        message: format!("{operation} took {duration}ms").into(),
        service: "api".into(),
        operation: Some(operation.into()),
        duration_ms: Some(duration),
        success: Some(true),
        ..LogEvent::default()
    }
}

pub fn error(operation: &'static str, kind: &'static str, user: String) -> LogEvent<'static> {
    LogEvent {
        level: stella_protocol::Level::Error,
        message: format!("{operation} failed: {kind}").into(),
        error_type: Some(kind.into()),
        user_id: Some(user.into()),
        success: Some(false),
        ..call(operation, 50.0)
    }
}

pub fn login(outcome: stella_protocol::log::Login, addr: String, user: String) -> LogEvent<'static> {
    LogEvent {
        message: "sign-in".into(),
        service: "auth".into(),
        operation: Some("login".into()),
        login: Some(outcome),
        remote_addr: Some(addr.into()),
        user_id: Some(user.into()),
        ..LogEvent::default()
    }
}

/// Chance, the same in every run of a seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between nothing and one.
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.share() * most as f64) as usize
    }

    /// A duration whose logarithm is normal: about `middle`, spread by `spread`.
    pub fn duration(&mut self, middle: f64, spread: f64) -> f64 {
        let normal = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        (middle * (spread * normal).exp()).round()
    }
}
