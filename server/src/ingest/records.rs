//! Where one record of a JSON body ends and the next begins, without parsing any of them.
//!
//! Only brackets and strings are followed, so a broken record costs itself and nobody else.

/// The records of a body with their numbers, and what is wrong with its end, if anything.
pub(super) type Records<'a> = (Vec<(usize, &'a str)>, Option<(usize, &'static str)>);

/// Splits NDJSON, an array, `{"logs":[…]}`, or one object written over several lines.
pub(super) fn of(body: &str) -> Records<'_> {
    let body = body.trim_start_matches('\u{feff}').trim();
    match body.as_bytes().first() {
        Some(b'[') if !is_ndjson_of_arrays(body) => elements(body),
        Some(b'{') => match envelope(body) {
            Some(Envelope::Logs(array)) => elements(array),
            Some(Envelope::Single) => (vec![(1, body)], None),
            None => (lines(body), None),
        },
        _ => (lines(body), None),
    }
}

/// A first line that is closed while others follow: a line each, and each line is judged by itself.
fn is_ndjson_of_arrays(body: &str) -> bool {
    value_end(body, 0).is_some_and(|end| end < body.len() && body[end..].starts_with(['\n', '\r']))
}

fn lines(body: &str) -> Vec<(usize, &str)> {
    let numbered = body.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty()).collect()
}

enum Envelope<'a> {
    Logs(&'a str),
    Single,
}

/// Looks whether the body is one object, and whether it has an array called `logs`.
fn envelope(body: &str) -> Option<Envelope<'_>> {
    if !body.contains('\n') && !body.contains("\"logs\"") {
        return Some(Envelope::Single);
    }
    let mut at = 1;
    loop {
        at = blank_end(body, at);
        let key_end = string_end(body, at)?;
        let key = &body[at..key_end];
        at = blank_end(body, key_end);
        if body.as_bytes().get(at) != Some(&b':') {
            return None;
        }
        at = blank_end(body, at + 1);
        let array = key == "\"logs\"" && body.as_bytes().get(at) == Some(&b'[');
        let Some(end) = value_end(body, at) else {
            return array.then(|| Envelope::Logs(&body[at..]));
        };
        if array {
            return Some(Envelope::Logs(&body[at..end]));
        }
        at = blank_end(body, end);
        match body.as_bytes().get(at)? {
            b',' => at += 1,
            b'}' if at + 1 == body.len() => return Some(Envelope::Single),
            _ => return None,
        }
    }
}

/// The elements of an array that begins at the start of `array`.
fn elements(array: &str) -> Records<'_> {
    let mut found = Vec::new();
    let mut at = 1;
    loop {
        at = blank_end(array, at);
        match array.as_bytes().get(at) {
            None => return (found, Some((0, "the array is not closed"))).numbered(),
            Some(b']') => return (found, None),
            Some(b',') => at += 1,
            Some(_) => {
                let number = found.len() + 1;
                let Some(end) = value_end(array, at).filter(|end| *end > at) else {
                    found.push((number, array[at..].trim_end()));
                    return (found, None);
                };
                found.push((number, &array[at..end]));
                at = end;
            }
        }
    }
}

trait Numbered {
    fn numbered(self) -> Self;
}

impl Numbered for Records<'_> {
    /// A complaint about the end stands at the number after the last record.
    fn numbered(mut self) -> Self {
        let after = self.0.len() + 1;
        if let Some((line, _)) = &mut self.1 {
            *line = after;
        }
        self
    }
}

fn blank_end(text: &str, from: usize) -> usize {
    text.as_bytes()[from..].iter().position(|byte| !byte.is_ascii_whitespace()).map_or(text.len(), |skip| from + skip)
}

/// One past the closing quote of the string that opens at `at`.
fn string_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut from = at + 1;
    loop {
        let hit = from + memchr::memchr3(b'"', b'\\', b'\n', &bytes[from..])?;
        match bytes[hit] {
            b'"' => return Some(hit + 1),
            b'\\' => from = (hit + 2).min(bytes.len()),
            _ => return None,
        }
    }
}

/// One past the end of the value that begins at `at`; None: it does not end.
///
/// Inside brackets only brackets and strings count, so a wrong value is still cut in the right place.
fn value_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = at;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    fn texts(body: &str) -> Vec<&str> {
        of(body).0.into_iter().map(|(_, record)| record).collect()
    }

    #[test]
    fn every_shape_of_body_gives_the_same_records() {
        let wanted = vec!["{\"a\":\"}\\\"\"}", "{\"b\":[1,{}]}"];
        for body in [
            "{\"a\":\"}\\\"\"}\n{\"b\":[1,{}]}\n",
            "{\"a\":\"}\\\"\"}\r\n\r\n{\"b\":[1,{}]}",
            "[{\"a\":\"}\\\"\"},{\"b\":[1,{}]}]",
            " [\n {\"a\":\"}\\\"\"} ,\n {\"b\":[1,{}]}\n]\n",
            "{\"logs\":[{\"a\":\"}\\\"\"},{\"b\":[1,{}]}]}",
            "{\n \"source\": \"x\",\n \"logs\": [{\"a\":\"}\\\"\"}, {\"b\":[1,{}]}], \"n\": 2\n}",
        ] {
            assert_eq!(texts(body), wanted, "{body}");
        }
    }

    #[test]
    fn one_object_over_several_lines_is_one_record() {
        assert_eq!(texts("{\n\"a\": 1\n}"), ["{\n\"a\": 1\n}"]);
    }

    #[test]
    fn a_broken_first_line_does_not_swallow_the_next() {
        assert_eq!(texts("{\"a\": \"open\n{\"b\":1}\n{\"c\":2}"), ["{\"a\": \"open", "{\"b\":1}", "{\"c\":2}"]);
        assert_eq!(texts("{\"a\": [1\n{\"b\":1}"), ["{\"a\": [1", "{\"b\":1}"]);
    }

    #[test]
    fn an_array_that_never_ends_says_so_and_keeps_what_it_had() {
        let (records, ending) = of("[{\"a\":1},{\"b\":2}");
        assert_eq!((records.len(), ending), (2, Some((3, "the array is not closed"))));
        assert_eq!(texts("[{\"a\":1},}]"), ["{\"a\":1}", "}]"]);
    }
}
