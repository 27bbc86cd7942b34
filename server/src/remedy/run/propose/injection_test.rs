//! Figure X-10, the definition's side: 500 payloads as every kind of parameter. Whatever plan results
//! holds the value as one whole argument, JSON string, header value, segment or query value, and nothing
//! else of it differs from the plan of a harmless value.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stella_protocol::fix::{FixPlan, Proposal};
use stella_protocol::{Principal, Role, Text};

use super::Proposer;
use super::sample::Shelf;
use super::tests::settings;
use crate::clock::Clock;
use crate::remedy::definition::Catalogue;
use crate::remedy::definition::template::percent_encoded;

/// Stands for the value in a plan that is compared.
const HARMLESS: &str = "harmless";

/// A value in every place that a definition has.
const PLACES: &str = r#"
title = "Do it to {x}"
risk = "high"
policy = "approve"
owner = "o"
target = "t:{x}"

[[parameter]]
name = "x"
KIND

[[step]]
title = "call {x}"
[step.http]
method = "POST"
base = "application"
path = "/a/{x}/b"
query = { q = "{x}" }
headers = { x-subject = "{x}" }
body = { who = "{x}", list = ["{x}", 3], fixed = "f" }

[[step]]
title = "run {x}"
argv = { program = "operate", arguments = ["do", "{x}", "--service={x}"] }

[[step]]
title = "keep {x}"
document = { collection = "c", id = "{x}", set = { who = "{x}" } }
"#;

/// 500 payloads: beginnings and ends of what breaks shells, arguments, templates, paths, headers, JSON.
fn payloads() -> Vec<String> {
    let hearts = [
        "reboot",
        "$(reboot)",
        "`reboot`",
        "${IFS}reboot",
        "{x}",
        "{y}",
        "{{7*7}}",
        "%s%n",
        "${jndi:x}",
        "../../etc/passwd",
        "..",
        ".",
        "%2e%2e",
        "..%2f",
        "\\..\\x",
        "/etc/passwd",
        "a\r\nX-Evil: 1",
        "a\nb",
        "\0",
        "\u{1b}[2J",
        "\",\"admin\":true,\"x\":\"",
        "\\\"",
        "'",
        "--help",
        "-rf",
        "-o ProxyCommand=x",
        "=x",
        "@evil.example",
        "//evil.example",
        "http://169.254.169.254/",
        "?x=1",
        "#x",
        "&admin=1",
        "a b",
        "\u{202e}abc",
        "\u{200b}",
        "\u{feff}",
        "é",
        "$HOME",
        "~root",
        "*",
        "?",
        "[a-z]",
        "!!",
        "|id",
    ];
    let wraps = [
        "H",
        "harmless;H",
        "harmlessH",
        "H;id",
        "harmless&&H",
        "\"H\"",
        "'H'",
        "harmless|H",
        "harmless/H",
        "H\n",
        "harmless H",
        "harmless%00H",
    ];
    let all = hearts.iter().flat_map(|heart| wraps.iter().map(move |wrap| wrap.replace('H', heart)));
    let mut payloads: Vec<String> = all.collect();
    payloads.sort();
    payloads.dedup();
    // Evenly over all kinds, so that no heart is cut away.
    let step = payloads.len() as f64 / 500.0;
    (0..500).map(|nth| payloads[(f64::from(nth) * step) as usize].clone()).collect()
}

fn proposer(kind: &str, payload: &str) -> Proposer {
    let mut catalogue = Catalogue::default();
    let files = [("x.toml".to_owned(), PLACES.replace("KIND", kind))];
    let list = "[[entry]]\nvalue = \"harmless\"\n[[entry]]\nvalue = \"other\"\n".to_owned();
    let problems = catalogue.add(
        &files,
        &[
            ("list.toml".to_owned(), list),
            ("documents.toml".to_owned(), "collection = \"things\"\nfield = \"name\"\n".to_owned()),
        ],
    );
    assert!(problems.is_empty(), "{problems:?}");
    // The worst store: whoever attacks has made a document of that name.
    let shelf = Shelf::default();
    for id in [HARMLESS, payload] {
        shelf.put("users", id, json!({ "email": id }));
        shelf.put("things", &percent_encoded(id), json!({ "name": id }));
    }
    let settings = settings();
    Proposer { catalogue, settings, documents: Some(Arc::new(shelf)), single_person: false, clock: Clock::system() }
}

async fn planned(proposer: &Proposer, value: &str) -> Result<FixPlan, String> {
    let by = Principal { name: Text::from("ana"), role: Role::Responder };
    let parameters = BTreeMap::from([("x".to_owned(), Text::new(value.to_owned()))]);
    let ask = Proposal { definition_id: Text::from("x"), alert_id: None, parameters };
    proposer.draft(&by, ask, None).await.map(|draft| draft.plan).map_err(|refusal| refusal.why)
}

/// The harmless plan, its places filled with a value as a careful person would: one whole thing each.
fn by_hand(harmless: &Value, value: &str) -> Value {
    match harmless {
        Value::String(text) if text == HARMLESS => Value::String(value.to_owned()),
        Value::String(text) if text.starts_with("http://") => {
            Value::String(text.replace(HARMLESS, &percent_encoded(value)))
        }
        Value::String(text) if text.starts_with("inventory") || text.starts_with("document ") => {
            Value::String(text.replace(HARMLESS, value))
        }
        // Words for people, the target, and the argument with a fixed beginning: each one string.
        Value::String(text) => Value::String(text.replace(HARMLESS, value)),
        Value::Array(items) => items.iter().map(|item| by_hand(item, value)).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, entry)| (key.clone(), by_hand(entry, value))).collect())
        }
        other => other.clone(),
    }
}

/// What holds of every plan besides: nothing can be taken for an option, a path or a second header.
fn is_sound(plan: &FixPlan) {
    let shown = serde_json::to_string(plan).unwrap();
    for step in &plan.steps {
        match &step.act {
            stella_protocol::fix::Act::Http(call) => {
                let url = call.url.raw();
                assert!(url.starts_with("http://127.0.0.1:9000/a/"), "{shown}");
                assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
                let (path, query) = url.strip_prefix("http://").unwrap().split_once('?').unwrap();
                let segments: Vec<&str> = path.split('/').collect();
                assert_eq!((segments.len(), segments[3]), (4, "b"), "{shown}");
                assert!(![".", "..", ""].contains(&segments[2]) && !query.contains(['&', '#', '?']), "{shown}");
                assert!(call.headers["x-subject"].raw().bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{shown}");
            }
            stella_protocol::fix::Act::Argv(argv) => {
                let arguments: Vec<&str> = argv.arguments.iter().map(Text::raw).collect();
                assert_eq!((argv.program.raw(), arguments.len()), ("/usr/local/bin/operate", 3), "{shown}");
                assert!(!arguments[1].starts_with('-') && !arguments[1].is_empty(), "{shown}");
                assert!(!arguments.iter().any(|argument| argument.contains('\0')), "{shown}");
            }
            stella_protocol::fix::Act::Document(document) => {
                assert!(!document.id.raw().contains('/') && document.collection.raw() == "c", "{shown}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn five_hundred_payloads_in_every_kind_of_parameter_fill_one_whole_place_or_propose_nothing() {
    let payloads = payloads();
    assert_eq!(payloads.len(), 500);
    // An enum whose author wrote the payload itself into it is the one way to let it through.
    let own_enum = |payload: &str| format!("kind = \"enum\"\nvalues = [\"harmless\", {}]", json!(payload));
    let kinds = [
        "kind = \"enum\"\nvalues = [\"harmless\", \"other\"]",
        "kind = \"inventory\"\ninventory = \"list\"",
        "kind = \"inventory\"\ninventory = \"documents\"",
        "kind = \"ip\"",
        "kind = \"user\"\nfields = [\"email\"]",
        "kind = \"operation\"",
    ];
    let (mut made, mut refused) = (0, 0);
    for payload in &payloads {
        for kind in kinds {
            let proposer = proposer(kind, payload);
            match planned(&proposer, payload).await {
                Err(_) => refused += 1,
                Ok(plan) => {
                    made += 1;
                    compare(&proposer, &plan, payload).await;
                }
            }
        }
        let readable = crate::remedy::parameter::is_readable(payload);
        let (text, names) = (PLACES.replace("KIND", &own_enum(payload)), crate::remedy::definition::parse);
        if !readable {
            assert!(names("x", "x.toml", &text).is_err(), "{payload:?}");
            continue;
        }
        let proposer = proposer(&own_enum(payload), payload);
        match planned(&proposer, payload).await {
            Err(_) => refused += 1,
            Ok(plan) => {
                made += 1;
                compare(&proposer, &plan, payload).await;
            }
        }
    }
    // Both must happen, or this proves nothing.
    assert!(made > 100 && refused > 2_500, "{made} plans, {refused} refusals");
}

async fn compare(proposer: &Proposer, plan: &FixPlan, payload: &str) {
    is_sound(plan);
    let harmless = serde_json::to_value(planned(proposer, HARMLESS).await.unwrap()).unwrap();
    assert_eq!(serde_json::to_value(plan).unwrap(), by_hand(&harmless, payload), "{payload:?}");
}
