//! A slow and literal reading of the standard's rules for event streams (WHATWG HTML, "Interpreting an
//! event stream"), to compare the fast decoder with. Reads the whole stream at once; tests only.

/// Type, data and last event id of every event that the standard dispatches.
pub(super) fn parse(bytes: &[u8]) -> Vec<(String, String, String)> {
    let decoded = String::from_utf8_lossy(bytes);
    let text = decoded.strip_prefix('\u{feff}').unwrap_or(&decoded);
    let (mut kind, mut data, mut id_buffer) = (String::new(), String::new(), String::new());
    let mut dispatched = Vec::new();
    for line in lines(text) {
        if line.is_empty() {
            let last_event_id = id_buffer.clone();
            if !data.is_empty() {
                let body = data.strip_suffix('\n').unwrap_or(&data).to_owned();
                let name = if kind.is_empty() { "message".to_owned() } else { kind.clone() };
                dispatched.push((name, body, last_event_id));
            }
            data.clear();
            kind.clear();
            continue;
        }
        let (field, value) = match line.find(':') {
            Some(0) => continue,
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(' ').unwrap_or(value))
            }
            None => (line.as_str(), ""),
        };
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut id_buffer),
            _ => {}
        }
    }
    dispatched
}

/// The complete lines; what stands behind the last line end is not one.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => lines.push(std::mem::take(&mut line)),
            '\r' => {
                if characters.peek() == Some(&'\n') {
                    characters.next();
                }
                lines.push(std::mem::take(&mut line));
            }
            other => line.push(other),
        }
    }
    lines
}
