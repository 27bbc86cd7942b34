//! What only a person can say: whose an id is that several people could hold.
//!
//! The same question has the same name in every look, as long as the same people could hold the id.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use stella_protocol::Text;
use stella_protocol::migration::{Decided, Decision, DecisionKind, DecisionOption};

use super::claims::{Claim, Claims, Name};
use super::groups::Groups;
use crate::migrate::form::Form;

/// All of them are one person.
pub const ONE_PERSON: &str = "one-person";
/// Whose it is cannot be said: what refers to it stays as it is.
pub const NOBODY: &str = "nobody";
/// Before the name of the user document of whoever holds it.
const USER: &str = "user:";
/// Hexadecimal digits of a question's name.
const NAME_DIGITS: usize = 10;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    OnePerson,
    User(Name),
    Nobody,
}

/// One question.
#[derive(Debug)]
pub(super) struct Question {
    /// The id as it is compared.
    pub id: String,
    pub decision: Decision,
    people: BTreeSet<Name>,
    answer: Option<Answer>,
}

/// The name of the question whose this id is; `people` are the smallest ids of each one's user documents.
pub fn question_id<'p>(kind: DecisionKind, id: &str, people: impl IntoIterator<Item = &'p str>) -> String {
    let people: BTreeSet<&str> = people.into_iter().collect();
    let mut hash = Sha256::new();
    for part in [kind_word(kind), id].into_iter().chain(people) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    let number = hash.iter().take(NAME_DIGITS / 2).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("dec-{number:0NAME_DIGITS$x}")
}

fn kind_word(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::SharedId => "shared_id",
        DecisionKind::SeveralAccounts => "several_accounts",
        DecisionKind::SeveralUsers => "several_users",
        DecisionKind::Unknown => "unknown",
    }
}

/// Every question that these claims raise. `is_seen` tells whether the data hold an id: what only follows
/// from an e-mail is asked only then, what user documents say always.
pub(super) fn questions(
    claims: &Claims,
    users: &str,
    answers: &BTreeMap<String, Decided>,
    is_seen: impl Fn(&str) -> bool,
) -> Vec<Question> {
    let contested = claims.by_id.iter().filter(|(_, claim)| claim.people.len() > 1);
    let asked =
        contested.filter(|(_, claim)| claim.certain().count() > 1 || claim.spelt.iter().any(|spelt| is_seen(spelt)));
    asked.map(|(id, claim)| question(id, claim, users, answers)).collect()
}

fn question(id: &str, claim: &Claim, users: &str, answers: &BTreeMap<String, Decided>) -> Question {
    let kind = kind(id, claim);
    let people: BTreeSet<Name> = claim.people.keys().cloned().collect();
    let name = question_id(kind, id, people.iter().map(String::as_str));
    let options = options(claim, &people);
    let decided = answers.get(&name).filter(|decided| options.iter().any(|one| one.name == decided.option));
    let answer = decided.map(|decided| match decided.option.raw() {
        ONE_PERSON => Answer::OnePerson,
        NOBODY => Answer::Nobody,
        user => Answer::User(user.strip_prefix(USER).unwrap_or(user).to_owned()),
    });
    let decision = Decision {
        id: Text::new(name),
        kind,
        question: Text::new(asked(kind).to_owned()),
        ids: claim.spelt.iter().map(|spelt| Text::new(spelt.clone())).collect(),
        evidence: claim.evidence(users, |_| true),
        options,
        decided: decided.cloned(),
    };
    Question { id: id.to_owned(), decision, people, answer }
}

/// A sign-in is one human's, and a user document that names another one's id says that both are: then it
/// may be one person with several accounts. Else two users hold one id, or it only fits several.
fn kind(id: &str, claim: &Claim) -> DecisionKind {
    if claim.certain().count() < 2 {
        DecisionKind::SeveralUsers
    } else if Form::of(id) == Form::Numeric || claim.document_of().is_some() {
        DecisionKind::SeveralAccounts
    } else {
        DecisionKind::SharedId
    }
}

fn asked(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::SeveralAccounts => {
            "user documents with different e-mails name one id as their own: are they one person, or whose is it?"
        }
        DecisionKind::SharedId => "user documents with different e-mails hold one id: whose is it?",
        DecisionKind::SeveralUsers | DecisionKind::Unknown => "this id fits several users: whose is it?",
    }
}

fn options(claim: &Claim, people: &BTreeSet<Name>) -> Vec<DecisionOption> {
    let option = |name: String, words: String| DecisionOption { name: Text::new(name), words: Text::new(words) };
    // The id of a user document cannot become another's: the document would go with it.
    let owner = claim.document_of();
    let holders = people.iter().filter(|name| owner.is_none_or(|owner| owner == *name));
    let mut options: Vec<DecisionOption> = holders
        .map(|name| option(format!("{USER}{name}"), format!("it belongs to the user of document {name} alone")))
        .collect();
    options.push(option(ONE_PERSON.to_owned(), "all of them are one person, with one id".to_owned()));
    options.push(option(NOBODY.to_owned(), "nobody can say: what refers to it stays as it is".to_owned()));
    options
}

/// Makes one person of those of whom somebody said that they are.
pub(super) fn unite(questions: &[Question], groups: &mut Groups) {
    for question in questions.iter().filter(|question| question.answer == Some(Answer::OnePerson)) {
        groups.unite(&question.people);
    }
}

/// Whose the id of a question is: None while it is open, or when it is nobody's.
pub(super) fn holder(question: &Question, groups: &Groups) -> Option<Name> {
    let people: BTreeSet<&Name> = question.people.iter().map(|name| groups.head(name)).collect();
    match &question.answer {
        Some(Answer::User(name)) => Some(groups.head(name).clone()),
        Some(Answer::OnePerson) => question.people.first().map(|name| groups.head(name).clone()),
        None if people.len() == 1 => people.first().map(|one| (*one).clone()),
        Some(Answer::Nobody) | None => None,
    }
}

/// True while somebody has to say something: not when another answer made one person of all.
pub(super) fn matters(question: &Question, groups: &Groups) -> bool {
    let people: BTreeSet<&Name> = question.people.iter().map(|name| groups.head(name)).collect();
    question.answer.is_some() || people.len() > 1
}
