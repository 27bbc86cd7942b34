//! Who else looks at the same: others, and other consoles of whoever sits here. Alone, nothing is said.

use stella_protocol::{Object, Presence};
use stella_widgets::text::{cut, sanitise};

use crate::screens::View;

/// Columns of a name.
const NAME: u16 = 12;
/// Columns of a name in a row of the list.
const SHORT: u16 = 8;
/// Names that the header says where there is room for them.
const NAMED: usize = 3;

/// `bo is here too`, `bo +2 are here too`; None: nobody else looks at it.
pub fn here_too(view: &View<'_>, object: &Object) -> Option<String> {
    let (first, more) = people(view, object)?;
    Some(match (first, more) {
        (None, _) => "your other console is here too".to_owned(),
        (Some(name), 0) => format!("{} is here too", cut(&name, NAME)),
        (Some(name), more) => format!("{} +{more} are here too", cut(&name, NAME)),
    })
}

/// The same for a row of a list: ` @bo`, ` @bo+2`; empty: nobody.
pub fn mark(view: &View<'_>, object: &Object) -> String {
    let Some((first, more)) = people(view, object) else { return String::new() };
    let name = first.map_or_else(|| "you".to_owned(), |name| cut(&name, SHORT).into_owned());
    if more > 0 { format!(" @{name}+{more}") } else { format!(" @{name}") }
}

/// For the header: how many other consoles there are, by name and by what they look at where there is room.
/// None: this is the only one.
pub fn header(view: &View<'_>, is_roomy: bool) -> Option<String> {
    if view.board.link.state(view.now).is_old() {
        return None;
    }
    let others = view.board.presence.others(&view.setup.console, view.me());
    let count = others.clone().count();
    if count == 0 {
        return None;
    }
    if !is_roomy {
        return Some(format!("+{count} here"));
    }
    let words = |one: &Presence| {
        let name = if one.who.raw() == view.me() { "you".into() } else { sanitise(one.who.raw()).into_string() };
        let at = one.look.object.as_ref().and_then(Object::id).map(|id| format!(" ({id})")).unwrap_or_default();
        format!("{}{at}", cut(&name, NAME))
    };
    let mut named: Vec<String> = others.take(NAMED).map(words).collect();
    named.extend((count > NAMED).then(|| format!("+{}", count - NAMED)));
    Some(format!("also here: {}", named.join(", ")))
}

/// The first of them, each once, and how many more people; None as a name: only whoever sits here, elsewhere.
fn people(view: &View<'_>, object: &Object) -> Option<(Option<String>, usize)> {
    if view.board.link.state(view.now).is_old() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    let mut is_also_me = false;
    for one in view.board.presence.at(object, &view.setup.console, view.me()) {
        let name = one.who.raw();
        is_also_me |= name == view.me();
        if name != view.me() && !names.contains(&name) {
            names.push(name);
        }
    }
    match (names.first(), is_also_me) {
        (None, false) => None,
        (None, true) => Some((None, 0)),
        (Some(name), also) => Some((Some(sanitise(name).into_string()), names.len() - 1 + usize::from(also))),
    }
}
