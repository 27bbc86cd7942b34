//! An event of the Windows event log as XML in one line: its `Data` elements become named values.
//!
//! Not an XML reader: it looks for the few elements whose form the event schema fixes.

use std::borrow::Cow;

use super::json::{Json, Pairs};

/// Most `Data` elements that are read.
const MOST_VALUES: usize = 64;

/// The named values of an event; None: it is no such event.
pub(super) fn event(line: &str) -> Option<Pairs<'_>> {
    if !line.starts_with("<Event") || !line.contains("<System>") {
        return None;
    }
    let mut pairs: Pairs<'_> = Vec::new();
    let mut put = |name: &'static str, value: Option<&'_ str>| {
        if let Some(value) = value {
            pairs.push((Cow::Borrowed(name), Json::Text(Cow::Owned(value.to_owned()))));
        }
    };
    put("timestamp", between(line, "SystemTime=\"", "\"").or_else(|| between(line, "SystemTime='", "'")));
    put("host", between(line, "<Computer>", "</Computer>"));
    put("service", between(line, "<Channel>", "</Channel>"));
    put("eventId", between(line, "<EventID>", "</EventID>"));
    put("provider", between(line, "<Provider Name=\"", "\""));
    for (at, _) in line.match_indices("<Data Name=").take(MOST_VALUES) {
        let rest = &line[at + "<Data Name=".len()..];
        let Some(quote) = rest.chars().next().filter(|letter| matches!(letter, '"' | '\'')) else { continue };
        let Some((name, rest)) = rest[1..].split_once(quote) else { continue };
        let Some(value) = between(rest, ">", "<") else { continue };
        pairs.push((Cow::Borrowed(name), Json::Text(Cow::Borrowed(value))));
    }
    let words = pairs.iter().map(|(name, value)| match value {
        Json::Text(text) => format!("{name}={text}"),
        _ => name.to_string(),
    });
    let message = words.collect::<Vec<_>>().join(" ");
    pairs.push((Cow::Borrowed("message"), Json::Text(Cow::Owned(message))));
    Some(pairs)
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let from = text.find(open)? + open.len();
    let len = text[from..].find(close)?;
    Some(&text[from..from + len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_an_event_get_their_names() {
        let line = "<Event xmlns=\"x\"><System> <EventID>4625</EventID> <TimeCreated SystemTime=\"2022-04-29T12:36:01.9027913Z\" /> \
                    <Computer>pc</Computer></System><EventData> <Data Name=\"IpAddress\">192.0.2.7</Data> <Data Name=\"Empty\"/></EventData></Event>";
        let pairs = event(line).unwrap_or_default();
        let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        assert_eq!(value("IpAddress"), Some(Json::Text("192.0.2.7".into())));
        assert_eq!(value("host"), Some(Json::Text("pc".into())));
        assert_eq!(event("<html>"), None);
    }
}
