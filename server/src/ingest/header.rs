//! What stands in front of the words of a text line: time, host, program, level, logger.
//!
//! Parts are peeled off from the left, whatever their order, as long as each is recognised by its
//! shape. What was passed but not understood goes back to the message, so nothing is lost. Every step
//! consumes and there are at most a few: linear in the line.

use stella_protocol::{Level, Timestamp};

use super::mapper::{Head, outcome_word};
use super::when::{self, Form};
use super::{access, address, level, measure};

/// More parts than this no header has.
const MOST_PARTS: usize = 14;

/// Longest single part, in bytes.
const LONGEST_PART: usize = 160;

/// Words before a level that still belong to the header.
const MOST_BEFORE_LEVEL: usize = 4;

/// Reads the header of a line; the head's message is what follows it.
pub(super) fn peel(line: &str, received: Timestamp) -> Head<'_> {
    let start = line.trim_start();
    let mut peel = Peel { rest: start, kept: start, head: Head::default(), received, named: None, rfc5424: false };
    for _ in 0..MOST_PARTS {
        if !peel.part() {
            break;
        }
    }
    peel.end()
}

struct Peel<'a> {
    /// What was not looked at yet.
    rest: &'a str,
    /// Where the message begins, by what is understood so far.
    kept: &'a str,
    head: Head<'a>,
    received: Timestamp,
    /// A name in brackets or before the time: the service, when nothing better comes.
    named: Option<&'a str>,
    rfc5424: bool,
}

impl<'a> Peel<'a> {
    fn part(&mut self) -> bool {
        self.rest = skip_gaps(self.rest);
        !self.rest.is_empty()
            && (self.priority()
                || self.time()
                || self.bracket()
                || self.parenthesis()
                || self.level()
                || self.source()
                || self.before_level()
                || self.number()
                || self.logger())
    }

    fn commit(&mut self, rest: &'a str) -> bool {
        self.rest = rest;
        self.kept = rest;
        true
    }

    /// `<34>`, `<34>1 `.
    fn priority(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix('<') else { return false };
        let Some((number, rest)) = rest.split_once('>') else { return false };
        let Some(priority) = number.parse::<u16>().ok().filter(|priority| *priority < 192) else { return false };
        self.head.level = level::number(f64::from(priority & 7));
        self.rfc5424 = rest.starts_with("1 ");
        self.commit(rest.strip_prefix("1 ").unwrap_or(rest))
    }

    fn time(&mut self) -> bool {
        let Some(taken) = when::take(self.rest, self.received) else { return false };
        let first = self.head.time.is_none();
        if !first && matches!(taken.form, Form::Clock | Form::Epoch) {
            return false;
        }
        if taken.form == Form::Yearless && self.head.level.is_none() {
            self.head.level = self.rest.get(..1).and_then(level::letter);
        }
        if first {
            self.head.time = Some(taken.at);
        }
        self.commit(&self.rest[taken.len..]);
        if self.rest.trim_start().starts_with('|') {
            self.piped();
        } else if self.rfc5424 && first {
            self.rfc5424();
        } else {
            self.origin(taken.form);
        }
        true
    }

    /// What follows a time outside brackets: a container stream, a node with another time, host and program.
    fn origin(&mut self, form: Form) {
        let mut rest = self.rest.trim_start();
        if form == Form::Epoch {
            let (word, after) = first_word(rest);
            let date = word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            rest = if date { after.trim_start() } else { rest };
        }
        let (first, after) = first_word(rest);
        let after = after.trim_start();
        if matches!(first, "stdout" | "stderr") {
            let (flag, after) = first_word(after);
            if matches!(flag, "F" | "P") {
                self.commit(after);
            }
        } else if is_host(first) && when::take(after, self.received).is_some_and(|taken| taken.form != Form::Clock) {
            self.head.host = Some(first);
            self.commit(after);
        } else {
            self.syslog(first, after, form == Form::Syslog);
        }
    }

    /// `HOST PROGRAM[PID]:`; without a year in front a host alone, or a program alone, will do.
    fn syslog(&mut self, first: &'a str, after: &'a str, old_form: bool) {
        let (second, rest) = first_word(after);
        if let Some(program) = program(first) {
            if old_form || first.ends_with("]:") {
                self.head.service = Some(program);
                self.commit(after);
            }
        } else if is_host(first) && !is_level(first) {
            match program(second) {
                Some(program) if old_form || second.ends_with("]:") => {
                    self.head.host = Some(first);
                    self.head.service = Some(program);
                    self.commit(rest);
                }
                _ if old_form => {
                    self.head.host = Some(first);
                    self.commit(after);
                }
                _ => {}
            }
        }
    }

    /// `HOST APP PROCID MSGID [data]` of RFC 5424; `-` stands for nothing.
    fn rfc5424(&mut self) {
        let given = |word: &'a str| Some(word).filter(|word| *word != "-" && !word.is_empty());
        let (host, rest) = first_word(self.rest.trim_start());
        let (app, rest) = first_word(rest.trim_start());
        let (_process, rest) = first_word(rest.trim_start());
        let (_message_id, rest) = first_word(rest.trim_start());
        self.head.host = given(host);
        self.head.service = given(app);
        let mut rest = rest.trim_start();
        while rest.starts_with('[') {
            let Some(end) = rest.find("] ").map(|at| at + 1).or_else(|| rest.ends_with(']').then_some(rest.len()))
            else {
                break;
            };
            rest = rest[end..].trim_start();
        }
        self.commit(rest.strip_prefix("- ").unwrap_or(rest).trim_start_matches('\u{feff}'));
    }

    /// `| level | name | … | message`.
    fn piped(&mut self) {
        for _ in 0..MOST_PARTS {
            let Some(rest) = self.rest.trim_start().strip_prefix('|') else { break };
            let Some((field, after)) = rest.split_once('|') else {
                self.commit(rest);
                break;
            };
            let field = field.trim();
            if field.contains(' ') || field.len() > LONGEST_PART || !self.field(field) {
                self.commit(rest);
                break;
            }
            self.commit(&rest[rest.len() - after.len() - 1..]);
        }
    }

    /// False for a word that says how something ended: there the message begins.
    fn field(&mut self, field: &'a str) -> bool {
        if outcome_word(field).is_some() {
            return false;
        }
        if let Some(level) = level::word(field) {
            self.head.level = Some(level);
        } else if let Some(status) = access::status(field).filter(|_| field.len() == 3) {
            self.head.status = Some(status);
        } else if let Some(millis) = measure::duration(field) {
            self.head.millis = Some(millis);
        } else if let Some(found) = address::read(field) {
            self.head.address = Some(found);
        } else if is_name(field) && self.head.service.is_none() {
            self.head.service = Some(field);
        }
        true
    }

    fn bracket(&mut self) -> bool {
        let Some((inner, after)) = bracketed(self.rest) else { return false };
        if let Some(taken) = when::take(inner, self.received).filter(|taken| taken.len == inner.len()) {
            if self.head.time.is_none() {
                self.head.time = Some(taken.at);
            }
            return self.commit(after);
        }
        if let Some(found) = level_in(inner) {
            if self.head.level.is_none() || self.named.is_none() {
                self.head.level = Some(found);
            }
            return self.commit(after);
        }
        let client = inner.strip_prefix("client ").or_else(|| inner.strip_prefix("remote ")).unwrap_or(inner);
        if let Some(found) = address::read(client) {
            self.head.address = Some(found);
            return self.commit(after);
        }
        let process = inner.starts_with("pid ") || inner.bytes().all(|byte| byte.is_ascii_digit() || byte == b'#');
        if !process && (inner.contains(' ') || inner.is_empty()) {
            return false;
        }
        if !process && self.named.is_none() && is_name(inner) {
            self.named = Some(inner);
        }
        self.rest = after;
        true
    }

    /// `(W)`.
    fn parenthesis(&mut self) -> bool {
        let Some((word, after)) = self.rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            return false;
        };
        let Some(found) = level::letter(word).or_else(|| level::word(word)) else { return false };
        self.head.level = Some(found);
        self.commit(after)
    }

    fn level(&mut self) -> bool {
        let len = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, after) = self.rest.split_at(len);
        let Some(found) = level::word(word).filter(|_| self.head.level.is_none() || after.starts_with(':')) else {
            return false;
        };
        let shouted = word.bytes().all(|byte| byte.is_ascii_uppercase());
        let sure =
            after.starts_with(':') || after.starts_with(" [") || after.starts_with("] ") || after.starts_with('\t');
        match after.as_bytes().first() {
            Some(b':' | b' ' | b'\t' | b'|' | b']' | b'-' | b',' | b'(') => {}
            _ => return false,
        }
        if found != Level::Info || self.head.level.is_none() {
            self.head.level = Some(found);
        }
        if (!shouted && !sure) || word == "panic" {
            // `error reading the file` and `panic: …` are sentences that begin with their level.
            return false;
        }
        let python = after.strip_prefix(':').filter(|rest| !rest.starts_with([' ', ':']));
        self.commit(after.trim_start_matches([':', '|', ']', ',']));
        if let Some((name, rest)) = python.and_then(|rest| rest.split_once(':')).filter(|(name, _)| is_name(name)) {
            self.head.service = Some(name);
            self.commit(rest);
        }
        true
    }

    /// A name before the time: a file, a container, the client's address.
    fn source(&mut self) -> bool {
        if self.head.time.is_some() {
            return false;
        }
        let (word, after) = first_word(self.rest);
        let after = after.trim_start_matches([' ', '|', '\t']);
        if word.len() > LONGEST_PART || when::take(after.trim_start_matches('['), self.received).is_none() {
            return false;
        }
        match address::read(word) {
            Some(found) => self.head.address = Some(found),
            None => self.named = Some(word.split(".log").next().unwrap_or(word)).filter(|name| is_name(name)),
        }
        self.commit(after)
    }

    /// `148 INFO`, `name - ERROR`, `NODE RAS KERNEL INFO`: a few words, then a level.
    fn before_level(&mut self) -> bool {
        if self.head.time.is_none() || self.head.level.is_some() {
            return false;
        }
        let mut rest = self.rest;
        let (mut name, mut understood) = (None, true);
        for passed in 0..=MOST_BEFORE_LEVEL {
            let (word, after) = first_word(skip_gaps(rest));
            let bare = word.trim_matches(['[', ']', ':', '(', ')', '<', '>']);
            let shouted = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_uppercase());
            let in_brackets = word.starts_with('[') && word.ends_with(']');
            let found = level::word(bare).filter(|_| shouted || in_brackets);
            let found = found.or_else(|| level::letter(bare).filter(|_| in_brackets));
            if let Some(found) = found {
                self.head.level = Some(found);
                self.named = name.or(self.named);
                return understood && passed > 0 && self.commit(after);
            }
            let dashed = after.trim_start().starts_with("- ");
            let a_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            if word.is_empty() || word.len() > LONGEST_PART || word.ends_with(':') || (a_word && !dashed && passed > 0)
            {
                return false;
            }
            if is_name(bare) && !word.starts_with('[') {
                name = Some(bare);
            }
            understood &= is_name(bare) || is_numeric(word) || word == "-";
            rest = after;
        }
        false
    }

    /// A process or thread number, passed over in the hope of more header behind it.
    fn number(&mut self) -> bool {
        let (word, after) = first_word(self.rest);
        if self.head.time.is_none()
            || !is_numeric(word)
            || word.len() > 12
            || after.is_empty()
            || address::read(word).is_some()
        {
            return false;
        }
        self.rest = after;
        true
    }

    /// `o.a.AuthService - `, `dfs.DataNode$Receiver: `, `nova.wsgi.server [`.
    fn logger(&mut self) -> bool {
        if self.head.time.is_none() || self.head.service.is_some() {
            return false;
        }
        let (word, after) = first_word(self.rest);
        let name = word.strip_suffix(':').unwrap_or(word);
        let ends = word.ends_with(':')
            || after.starts_with(" - ")
            || after.starts_with(" : ")
            || after.starts_with(" [")
            || after.starts_with(" | ");
        // `NAME *64 - ` is how a process of another width than the system's is written.
        let wide = after.strip_prefix(" *64").filter(|rest| rest.starts_with(" - "));
        let (after, ends) = wide.map_or((after, ends), |rest| (rest, true));
        let inner = name.get(1..).unwrap_or_default();
        let dotted = name.contains(['.', '$', '_', '/']) || inner.bytes().any(|byte| byte.is_ascii_uppercase());
        let shouted = name.bytes().all(|byte| byte.is_ascii_uppercase());
        // What begins with a slash and ends with a colon is a request and its answer.
        if !ends || !dotted || shouted || name.starts_with('/') || !is_name(name) || address::read(name).is_some() {
            return false;
        }
        self.head.service = Some(name);
        self.commit(after.strip_prefix(" - ").or_else(|| after.strip_prefix(" : ")).unwrap_or(after))
    }

    fn end(mut self) -> Head<'a> {
        let message = skip_gaps(self.kept);
        self.head.service = self.head.service.or(self.named);
        if self.head.level.is_none() {
            self.head.level = level_near(message);
        }
        self.head.message = Some(message);
        self.head
    }
}

/// Blanks, and the dashes, bars and colons that stand between the parts of a header.
fn skip_gaps(text: &str) -> &str {
    let mut rest = text;
    loop {
        let bare = rest.trim_start_matches([' ', '\t', '|']);
        let bare = bare
            .strip_prefix("- ")
            .or_else(|| bare.strip_prefix(": "))
            .or_else(|| bare.strip_prefix("::"))
            .unwrap_or(bare);
        let bare = bare.strip_prefix("--- ").unwrap_or(bare);
        if bare.len() == rest.len() {
            return rest;
        }
        rest = bare;
    }
}

fn first_word(text: &str) -> (&str, &str) {
    text.find([' ', '\t']).map_or((text, ""), |at| text.split_at(at))
}

/// The inside of the brackets that open the text, nested ones included.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    if !text.starts_with('[') {
        return None;
    }
    for (at, byte) in text.bytes().enumerate().take(LONGEST_PART) {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

/// `error`, `W`, `core:error`, `ERROR|auth|L83`.
fn level_in(inner: &str) -> Option<Level> {
    let whole = inner.trim();
    if let Some(found) = level::word(whole).or_else(|| level::letter(whole)) {
        return Some(found);
    }
    if whole.contains(' ') {
        return None;
    }
    whole.split(['|', ':']).find_map(level::word)
}

/// A level that is shouted, or stands in brackets, among the first words.
fn level_near(message: &str) -> Option<Level> {
    message.split(' ').take(8).find_map(|word| {
        let bare = word.trim_matches(['[', ']', ':', '(', ')', '<', '>', ',']);
        let shouted = bare.len() > 2 && bare.bytes().all(|byte| byte.is_ascii_uppercase());
        let marked = word.starts_with('[') || (word.ends_with(':') && word.len() > 4);
        level::word(bare).filter(|_| shouted || marked)
    })
}

fn is_level(word: &str) -> bool {
    level::word(word).is_some_and(|_| word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// The name in `sshd(pam_unix)[19939]:`, `postfix/smtpd[1]:`, `/usr/sbin/gmetad[1682]:`.
fn program(word: &str) -> Option<&str> {
    let name = word.strip_suffix(':')?;
    let name = &name[..name.find(['[', '(']).unwrap_or(name.len())];
    let name = if name.starts_with('/') { name.rsplit('/').next().unwrap_or(name) } else { name };
    is_name(name).then_some(name)
}

fn is_host(word: &str) -> bool {
    let shape = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'@' | b'/');
    !word.is_empty()
        && word.len() <= LONGEST_PART
        && !word.ends_with(':')
        && word.bytes().all(shape)
        && (word.bytes().any(|byte| byte.is_ascii_alphabetic()) || address::read(word).is_some())
}

/// A process, a thread, a share: nothing that a reader misses.
fn is_numeric(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'%' | b'.' | b'#' | b'-'))
}

/// A name as programs, classes and modules have it.
fn is_name(word: &str) -> bool {
    let shape = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'$' | b'/' | b'#' | b'~')
    };
    !word.is_empty()
        && word.len() <= 100
        && word.bytes().all(shape)
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !word.ends_with(':')
}
