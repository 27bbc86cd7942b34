//! What a person is told of the engine itself: that it could not go on from where it was, that it has too much to do.
//!
//! Knows the words; what such an alert is made of stands in [`crate::notice`].

use stella_detect::{Finding, Phase};
use stella_protocol::{Severity, Text};

use super::load::Look;
use crate::notice::{finding, over};

/// The rules of these alerts; each also identifies the only problem that there is of it.
const STATE: &str = "engine_state";
const SAMPLING: &str = "engine_sampling";
const BREAKER: &str = "engine_breaker";

/// The engine begins afresh, `why` being what is wrong with the state that was kept.
pub(super) fn begun_afresh(why: &str) -> Finding {
    let told = format!(
        "What was usual until now is forgotten, because {why}: it is learned again from the lines of the last \
         15 minutes and from what comes. Until then less is found, and what was always so may look new."
    );
    Finding {
        suggested_actions: vec![Text::new("resolve this once it is read: it changes nothing by itself")],
        ..finding(STATE, Phase::Firing, format!("detection has begun afresh: {why}"), told)
    }
}

/// The engine went on from where it was: what [`begun_afresh`] said is over.
pub(super) fn taken_up() -> Finding {
    over(STATE, "detection went on from where it was")
}

/// What a person is told when the engine looks at another part of what is plainly normal.
pub(super) fn looks(before: Look, now: Look) -> Vec<Finding> {
    let (was_all, is_all) = (before == Look::All, now == Look::All);
    let (was_broken, is_broken) = (before == Look::Counted, now == Look::Counted);
    let sampling = match (was_all, is_all) {
        (true, false) => Some(begins_sampling()),
        (false, true) => Some(samples_no_more()),
        _ => None,
    };
    let breaker = match (was_broken, is_broken) {
        (false, true) => Some(breaks()),
        (true, false) => Some(has_caught_up()),
        _ => None,
    };
    sampling.into_iter().chain(breaker).collect()
}

/// Whatever was told of the load is over.
pub(super) fn load_is_over() -> [Finding; 2] {
    [samples_no_more(), has_caught_up()]
}

fn samples_no_more() -> Finding {
    over(SAMPLING, "detection looks at every line again")
}

fn has_caught_up() -> Finding {
    over(BREAKER, "detection has caught up")
}

fn begins_sampling() -> Finding {
    let told = "More lines come than detection may look at with its part of a processor. Of lines that are plainly \
                normal (a call that succeeded, of a known operation, by nobody who failed lately) one now stands for \
                several. Counts and shares stay exact; how long calls take is known from a sample. Errors, sign-ins and \
                everything else that is of note are looked at one by one, and every line is kept.";
    Finding {
        suggested_actions: vec![
            Text::new("nothing, if it ends by itself: it is told here when it does"),
            Text::new("send what nobody reads (DEBUG, health checks) elsewhere, or give the server a faster core"),
        ],
        ..finding(SAMPLING, Phase::Firing, "detection samples what is plainly normal".to_owned(), told.to_owned())
    }
}

fn breaks() -> Finding {
    let told = "Lines wait for detection for seconds although it samples. Until it has caught up, plainly normal lines \
                go past it: of each operation only their number is looked at. A slowdown is found late; errors and \
                sign-ins are looked at one by one as before, and every line is kept.";
    Finding {
        severity: Severity::Medium,
        suggested_actions: vec![
            Text::new("look for what floods the log: an error in a loop, a service at level DEBUG"),
            Text::new("give the server a faster core"),
        ],
        ..finding(
            BREAKER,
            Phase::Firing,
            "detection is behind: normal lines are only counted".to_owned(),
            told.to_owned(),
        )
    }
}
