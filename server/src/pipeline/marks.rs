//! What a mark, as the hub keeps it, means to the engine.

use stella_detect::{Engine, Lesson};

use crate::marks::Marked;

/// Brings what the engine knows of a problem to what people say of it by now.
///
/// A mark more is the engine's to measure: it knows how many lines the problem had. Of one that it does not know (it
/// was told of long ago, or by an engine before this one) what the alert counted is taken.
pub(super) fn teach(engine: &mut Engine, marked: Marked) {
    let Some(lesson) = marked.lesson else {
        engine.unmark(&marked.known_as);
        return;
    };
    let same = |known: &&Lesson| known.fingerprint == lesson.fingerprint;
    let times = engine.lessons().find(same).map_or(0, |known| known.times);
    let is_one_more = times + 1 == lesson.times;
    if !(is_one_more && engine.mark_false(&lesson.fingerprint, lesson.at)) {
        engine.learn(lesson);
    }
}
