//! What an invented application is: its operations, its people, how it writes. Data only.
//!
//! A town says nothing of incidents. Half of the towns are for daily work, the others are held out: what is
//! chosen on the first is measured on the second.

mod catalogue;

pub use catalogue::TOWNS;

/// A way in which an operation fails in ordinary life.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Its class.
    pub class: &'static str,
    /// What is said; `{}` is an id or a number.
    pub says: &'static str,
    /// ERROR; else WARN.
    pub loud: bool,
    /// How many times the usual time it takes: a refused form is quick, a time-out is not.
    pub takes: f64,
}

/// What an operation does with what people own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Reads one thing.
    Read,
    /// Lists what its person owns, and says in this attribute how much that is.
    Lists(&'static str),
    /// Looks for something, and says in this attribute how much it found.
    Searches(&'static str),
    /// Writes one thing for its person.
    Writes,
    /// Makes something big; slow by nature.
    Reports,
}

/// Something people ask for.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// As the application names it.
    pub name: &'static str,
    /// Which service does it.
    pub service: &'static str,
    /// Usual time, in milliseconds.
    pub median_ms: f64,
    /// Spread of its logarithm.
    pub sigma: f64,
    /// How often it is asked for, against the others.
    pub weight: f64,
    /// Share of calls that fail in ordinary life.
    pub failing: f64,
    /// How.
    pub faults: &'static [Fault],
    /// What it does.
    pub deed: Deed,
}

/// A component that says every so often that it is well.
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    /// Whose log carries it.
    pub service: &'static str,
    /// Its name.
    pub component: &'static str,
    /// Seconds between two beats.
    pub every_s: i64,
}

/// How a series lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// About a level.
    Steady,
    /// With the traffic.
    Traffic,
    /// Rises and falls back, as memory does under a collector.
    Saw,
}

/// A sampled series.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    /// Who samples it.
    pub service: &'static str,
    /// Its name.
    pub series: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Usual value.
    pub level: f64,
    /// Spread of it.
    pub noise: f64,
    /// Where it ends.
    pub limit: f64,
    /// How it lives.
    pub shape: Shape,
}

/// How user ids look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// `ana.17@example.org`
    Email,
    /// A prefix and ten letters or digits.
    Opaque(&'static str),
    /// Nine digits.
    Number,
    /// A prefix and a running number.
    Device(&'static str),
}

/// How the application writes.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    /// Whether an error's class is a field of its own.
    pub names_errors: bool,
    /// Whether lines say what they are about.
    pub names_categories: bool,
    /// Whether clients retry by themselves and say how often.
    pub counts_retries: bool,
    /// Lines about nothing in particular, for each call.
    pub chatter: f64,
    /// The attribute that says whose a written thing is.
    pub owner: &'static str,
}

/// An invented application at its usual traffic.
#[derive(Debug, Clone, Copy)]
pub struct Town {
    /// Its name.
    pub name: &'static str,
    /// Not to be looked at while something is chosen.
    pub held_out: bool,
    /// What it can do.
    pub ops: &'static [Op],
    /// The operation that signs people in; one of `ops`, without weight: people do it when they come.
    pub sign_in: &'static str,
    /// Calls a second by day, at traffic 1.
    pub per_second: f64,
    /// People, at traffic 1.
    pub people: usize,
    /// How uneven they are: exponent of Zipf's law.
    pub skew: f64,
    /// Share of them behind shared addresses, and how many such addresses there are.
    pub offices: (f64, usize),
    /// Share of visits that begin with signing in.
    pub signs_in: f64,
    /// Share of sign-ins with a wrong password.
    pub mistypes: f64,
    /// Failed sign-ins an hour from strangers, each once and from elsewhere: what every open door gets.
    pub strangers: f64,
    /// How ids look.
    pub ids: Ids,
    /// How it writes.
    pub speech: Speech,
    /// Who beats.
    pub workers: &'static [Worker],
    /// What is sampled.
    pub gauges: &'static [Gauge],
}

impl Town {
    /// Where the operation of this name stands.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.ops.iter().position(|op| op.name == name)
    }

    /// Every service that speaks, each once.
    pub fn services(&self) -> Vec<&'static str> {
        let mut services: Vec<_> = self.ops.iter().map(|op| op.service).collect();
        services.sort_unstable();
        services.dedup();
        services
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_town_can_be_lived_in_and_some_are_held_out() {
        assert!(TOWNS.iter().any(|town| town.held_out) && TOWNS.iter().any(|town| !town.held_out));
        for town in TOWNS {
            assert!(town.place(town.sign_in).is_some(), "{}", town.name);
            assert!(town.ops.iter().all(|op| !op.faults.is_empty()), "{}", town.name);
            let does = |wanted: fn(Deed) -> bool| town.ops.iter().any(|op| wanted(op.deed));
            assert!(does(|deed| matches!(deed, Deed::Lists(_))), "{}", town.name);
            assert!(does(|deed| matches!(deed, Deed::Searches(_))), "{}", town.name);
            assert!(does(|deed| deed == Deed::Writes) && does(|deed| deed == Deed::Reports), "{}", town.name);
            assert!(!town.workers.is_empty() && !town.gauges.is_empty(), "{}", town.name);
        }
    }
}
