//! People's requests: from the click through the connection pool, the query and the code to the line
//! that the application writes about it.

use super::{Call, Due, Flaw, World};
use crate::demo::application::{Embedding, SOURCES};
use crate::demo::line::{Line, Loudness};
use crate::demo::operation::Operation;
use crate::demo::people::{PEOPLE, PersonId};
use crate::demo::pool::{CallId, PATIENCE_MS};

/// People at work at an ordinary moment.
pub const AT_WORK: usize = 20;

/// Mean time from one answer to the next request, in milliseconds.
pub const THINK_MS: f64 = 8_000.0;

/// Mean time between two arrivals: keeps about [`AT_WORK`] people there, who do a dozen things each.
const ARRIVAL_MS: f64 = 5_200.0;

/// How often a person mistypes a password before thinking, a client tries again by itself, and the
/// service in front of the language model does.
const TYPOS: u32 = 2;
const RETRIES: u32 = 1;
const MODEL_RETRIES: u32 = 4;

/// Share of requests for something that is not there: links grow old.
const GONE: f64 = 0.001_5;

/// Share of forms that hold a slip of the pen.
const SLIPS: f64 = 0.02;

/// What became of a call.
enum Outcome {
    Done,
    Failed { kind: &'static str, message: String, transient: bool, loudness: Loudness },
}

impl World {
    pub(super) fn arrive(&mut self) {
        let person = self.crowd.below(PEOPLE);
        self.sign_in(person, 0);
        // Slow tides of an ordinary day, 40 minutes from flood to flood.
        let tide = 1.0 + 0.2 * (self.time as f64 / 2_400_000.0 * std::f64::consts::TAU).sin();
        let wait = self.crowd.wait(ARRIVAL_MS / (tide * self.application.traffic));
        self.after(wait, Due::Arrival);
    }

    pub(super) fn sign_in(&mut self, person: PersonId, attempt: u32) {
        let took = self.luck.work(Operation::Login.cost().rest_ms, Operation::Login.cost().sigma);
        let failed = self.people.mistypes(person, self.time, &mut self.luck);
        let addr = self.people.person(person).addr.clone();
        self.write_login(person, &addr, took, !failed);
        if failed && attempt < TYPOS {
            let wait = self.crowd.between(4_000, 9_000);
            self.after(wait, Due::SignIn(person, attempt + 1));
        } else if !failed {
            let session = self.people.begin(person, &mut self.crowd);
            let wait = self.crowd.between(300, 1_500);
            self.after(wait, Due::Act(session));
        }
    }

    /// What the gateway says of a sign-in.
    pub(super) fn write_login(&mut self, person: PersonId, addr: &str, took: i64, success: bool) {
        let email = self.people.person(person).email.clone();
        let line = if success {
            Line::new("auth", Loudness::Info, format!("login succeeded for {email} from {addr}"))
        } else {
            Line::new("auth", Loudness::Warn, format!("login failed for {email} from {addr}: invalid password"))
                .error("InvalidCredentials")
        };
        self.write(&line.category("security").operation("login", took).success(success).user(&email).addr(addr));
    }

    pub(super) fn act(&mut self, session: u64) {
        let Some(person) = self.people.session(session).map(|session| session.person) else { return };
        let Some([operation, then @ ..]) = self.people.next_act(session, &mut self.crowd) else { return };
        if self.crowd.chance(0.3) {
            self.write_page_view(person, session);
        }
        let slip = *operation == Operation::SaveSettings && self.crowd.chance(SLIPS);
        self.request(*operation, then, person, Some(session), slip.then_some(Flaw::Field("displayName")));
        let wait = 400 + self.crowd.wait(THINK_MS);
        self.after(wait, Due::Act(session));
    }

    fn write_page_view(&mut self, person: PersonId, session: u64) {
        let path = ["/chat", "/agents", "/library", "/settings"][self.crowd.below(4)];
        let took = self.luck.work(24.0, 0.3);
        let (email, id) = (&self.people.person(person).email, self.people.session(session).map(|s| s.id.as_str()));
        let line = Line::new("web", Loudness::Info, format!("GET {path} 200 in {took} ms")).user(email).session(id);
        self.write(&line.with("path", path).with("status", 200));
    }

    /// Makes a new request.
    pub(super) fn request(
        &mut self,
        operation: Operation,
        then: &'static [Operation],
        person: PersonId,
        session: Option<u64>,
        flaw: Option<Flaw>,
    ) {
        let (begun, trace) = (self.time, self.luck.hex());
        let attempt = 0;
        self.call(Call { operation, then, person, session, attempt, begun, trace, flaw, connected: begun });
    }

    pub(super) fn call(&mut self, mut call: Call) {
        call.begun = self.time;
        self.called += 1;
        let (id, pool) = (self.called, call.operation.pool());
        self.calls.insert(id, call);
        match pool {
            None => self.work(id),
            Some(pool) if self.application.pool(pool).acquire(id) => self.query(id),
            Some(_) => self.after(PATIENCE_MS, Due::GaveUp(id)),
        }
    }

    /// The call has its connection.
    pub(super) fn query(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.connected = self.time;
        let (cost, factor) = (call.operation.cost(), self.application.scan_factor(call.operation));
        let took = self.luck.work(cost.query_ms * factor, cost.sigma);
        self.after(took, Due::Queried(id));
    }

    pub(super) fn queried(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        let next = call.operation.pool().and_then(|pool| self.application.pool(pool).release());
        if let Some(next) = next {
            self.query(next);
        }
        if let Operation::Ping(pool) = call.operation {
            self.calls.remove(&id);
            return self.write_pool_health(pool, "healthy", self.time - call.begun);
        }
        let took = self.time - call.connected;
        let collection = call.operation.collection();
        let rows = self.luck.between(1, 40);
        let line = Line::new("store", Loudness::Info, format!("query {collection} took {took} ms"))
            .operation("firestore_query", took)
            .success(true)
            .trace(&call.trace)
            .with("collection", collection)
            .with("rows", rows);
        self.write(&line);
        self.work(id);
    }

    /// The rest of the call, after its query or without one.
    fn work(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let cost = call.operation.cost();
        let slowed = match (call.operation, self.application.embedding) {
            (Operation::SearchRag, Embedding::Degraded) => 1.7,
            _ => 1.0,
        };
        let took = self.luck.work(cost.rest_ms * slowed, cost.sigma);
        self.after(took, Due::Finished(id));
    }

    pub(super) fn gave_up(&mut self, id: CallId) {
        let waiting = self.calls.get(&id).and_then(|call| call.operation.pool());
        let Some(pool) = waiting.filter(|pool| self.application.pool(*pool).give_up(id)) else { return };
        let Some(call) = self.calls.remove(&id) else { return };
        if let Operation::Ping(pool) = call.operation {
            return self.write_pool_health(pool, "down", PATIENCE_MS);
        }
        let message = format!("timed out after {PATIENCE_MS} ms waiting for a connection of pool {}", pool.name());
        let kind = "PoolTimeoutError";
        self.settle(call, Outcome::Failed { kind, message, transient: true, loudness: Loudness::Error });
    }

    pub(super) fn finished(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        let outcome = self.judge(&call);
        self.settle(call, outcome);
    }

    /// Whether the call's own work succeeds.
    fn judge(&mut self, call: &Call) -> Outcome {
        let failed = |kind, message: &str, transient, loudness| {
            let message = message.to_owned();
            Outcome::Failed { kind, message, transient, loudness }
        };
        match call.flaw {
            Some(Flaw::Field(field)) => {
                let message = format!("validation refused field {field}");
                return failed("ValidationError", &message, false, Loudness::Warn);
            }
            Some(Flaw::Stale(minutes)) => {
                let message = format!("cached context is {minutes} min old and names passages that are gone");
                return failed("StaleCacheError", &message, false, Loudness::Warn);
            }
            None => {}
        }
        if let Some(bug) = self.application.bug(call.operation).filter(|bug| self.luck.chance(bug.share)) {
            return failed(bug.fault.kind, bug.fault.message, false, Loudness::Error);
        }
        match call.operation {
            Operation::GeminiApiCall if self.luck.chance(self.application.refusing.max(0.004)) => {
                failed("UpstreamUnavailable", "model endpoint answered 503", true, Loudness::Error)
            }
            Operation::SearchRag if self.application.embedding == Embedding::Down && self.luck.chance(0.5) => {
                failed("EmbeddingUnavailable", "no embedding for the question", false, Loudness::Error)
            }
            Operation::LoadMessages | Operation::GetSharedAgents if self.luck.chance(GONE) => {
                failed("NotFoundError", "not found", false, Loudness::Warn)
            }
            _ => Outcome::Done,
        }
    }

    /// Writes what became of a call and makes what follows from it.
    fn settle(&mut self, call: Call, outcome: Outcome) {
        let name = call.operation.name();
        match outcome {
            Outcome::Done => {
                let took = self.time - call.begun;
                let line = self.about(&call, Loudness::Info, format!("{name} completed in {took} ms"));
                let line = self.counted(&call, line.success(true));
                self.write(&line);
                if let [next, then @ ..] = call.then {
                    self.request(*next, then, call.person, call.session, None);
                }
            }
            Outcome::Failed { kind, message, transient, loudness } => {
                let limit = if call.operation == Operation::GeminiApiCall { MODEL_RETRIES } else { RETRIES };
                let again = transient && call.attempt < limit;
                // A failed try that will be made again is a warning without an outcome: the call is not over.
                let line = if again && call.operation == Operation::GeminiApiCall {
                    self.about(&call, Loudness::Warn, format!("{name}: {message}, will retry"))
                } else {
                    self.about(&call, loudness, format!("{name} failed: {message}")).success(false)
                };
                self.write(&line.error(kind));
                if again {
                    let wait = self.luck.between(600, 1_100) << call.attempt;
                    let attempt = call.attempt + 1;
                    self.after(wait, Due::Call(Box::new(Call { attempt, ..call })));
                }
            }
        }
    }

    fn about(&self, call: &Call, loudness: Loudness, message: String) -> Line {
        let person = self.people.person(call.person);
        let session = call.session.and_then(|key| self.people.session(key)).map(|session| session.id.as_str());
        Line::new(call.operation.service(), loudness, message)
            .operation(call.operation.name(), self.time - call.begun)
            .user(&person.email)
            .session(session)
            .addr(&person.addr)
            .attempt(call.attempt)
            .trace(&call.trace)
    }

    /// Adds how much was found: no conversations when they stand under a wrong id, no passages without an index.
    fn counted(&self, call: &Call, line: Line) -> Line {
        if call.operation == Operation::SearchRag {
            // Everybody asks one source more than the others.
            let (source, _) = SOURCES[call.person % SOURCES.len()];
            let found = if self.application.empty.contains(source) { 0 } else { 4 + self.called % 9 };
            return line.with("source", source).with("resultCount", found);
        }
        if call.operation != Operation::GetConversations {
            return line;
        }
        let owned = self.people.person(call.person).conversations;
        let shown = if self.application.orphaned.contains(&call.person) { 0 } else { owned };
        line.with("resultCount", shown)
    }
}
