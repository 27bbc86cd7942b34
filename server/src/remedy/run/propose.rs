//! From an alert, or a person's wish, to a draft: the plan with its values, and why there is none.
//!
//! Looks into inventories and documents, reads only. Whether a draft is admitted (caps, targets,
//! suppressions) is for the policy and the hub; nothing here keeps or sends anything.

#[cfg(test)]
mod injection_test;
mod lookup;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use stella_protocol::fix::{DefinitionView, FixPlan, PlanParameter, Policy, Proposal, Record};
use stella_protocol::{Alert, AlertId, Code, Principal, Text};

use crate::clock::Clock;
use crate::documents::Documents;
use crate::remedy::definition::catalogue::{self, Catalogue};
use crate::remedy::definition::template::Values;
use crate::remedy::definition::{Definition, Parameter, Seen};
use crate::remedy::settings::Settings;
use crate::remedy::{Draft, FixState, Refusal, plan, policy};
use crate::toml_source::{shown, suggestion};

/// Begins the source of a value that a person gave: `person ana`.
const PERSON: &str = "person ";
/// The source of a value that nobody gave.
const DEFAULT: &str = "default";

/// Makes drafts.
pub struct Proposer {
    /// What may be done about what.
    pub catalogue: Catalogue,
    /// Addresses, programs, networks.
    pub settings: Settings,
    /// The application's documents.
    pub documents: Option<Arc<dyn Documents>>,
    /// One human uses this server: every quorum is 1.
    pub single_person: bool,
    /// Tells how old an inventory is.
    pub clock: Clock,
}

/// Why a definition that fits an alert gives no draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Which definition.
    pub definition_id: String,
    /// Why, in words.
    pub why: Text,
}

/// Values for a plan, and where each came from.
struct Filled {
    values: Values,
    parameters: Vec<PlanParameter>,
}

/// What somebody gave for parameters: by name, the value and who gave it.
type Given = BTreeMap<String, (String, String)>;

impl Proposer {
    /// A draft, or the reason why not, of every definition that fits an alert.
    pub async fn for_alert(
        &self,
        seen: Seen<'_>,
        record: &(dyn Fn(&str) -> Record + Sync),
    ) -> Vec<Result<Draft, Unfit>> {
        let mut drafts = Vec::new();
        let fits = |definition: &&Definition| definition.matches.iter().any(|one| one.fits(seen));
        for definition in self.catalogue.definitions().filter(fits) {
            let (effective, _) = policy::effective(definition.policy, definition.risk, &record(&definition.id));
            if effective == Policy::Off {
                continue;
            }
            let by = format!("rule:{}", seen.alert.rule_id.raw());
            let draft = self.drafted(definition, Some(seen), &Given::new(), effective, &by).await;
            drafts.push(draft.map_err(|why| Unfit { definition_id: definition.id.clone(), why: Text::new(why) }));
        }
        drafts
    }

    /// The draft that a person asks for. People always decide about it, whatever its policy.
    ///
    /// # Errors
    /// Why there is none: `not_found`, `fixes_off` or `bad_parameter`.
    pub async fn draft(&self, by: &Principal, proposal: Proposal, seen: Option<Seen<'_>>) -> Result<Draft, Refusal> {
        let id = proposal.definition_id.raw();
        let definition = self.catalogue.definition(id).ok_or_else(|| {
            let known = self.catalogue.definitions().map(|definition| definition.id.as_str());
            Refusal::new(Code::NotFound, format!("there is no definition `{}`{}", shown(id), suggestion(id, known)))
        })?;
        if definition.policy == Policy::Off {
            return Err(Refusal::new(Code::FixesOff, format!("the policy of {id} is off")));
        }
        let source = format!("{PERSON}{}", by.name.raw());
        let given = proposal.parameters.into_iter();
        let given: Given = given.map(|(name, value)| (name, (value.raw().to_owned(), source.clone()))).collect();
        let draft = self.drafted(definition, seen, &given, Policy::Approve, by.name.raw()).await;
        draft.map_err(|why| Refusal::new(Code::BadParameter, why))
    }

    /// The plan of a fix made again from what holds now: same definition, same alert, same wishes.
    ///
    /// # Errors
    /// Why it cannot be made any more.
    pub async fn again(&self, state: &FixState, seen: Option<Seen<'_>>) -> Result<(FixPlan, Text), Text> {
        let old = &state.fix.plan;
        let definition = self.catalogue.definition(old.definition_id.raw());
        let definition = definition.ok_or_else(|| Text::from("its definition is gone"))?;
        let mut given = Given::new();
        for parameter in &old.parameters {
            let source = parameter.source.raw();
            // Without the alert its values are asked for again as they were: parsed and looked up anew.
            if source.starts_with(PERSON) || seen.is_none() && source != DEFAULT {
                given.insert(parameter.name.raw().to_owned(), (parameter.value.raw().to_owned(), source.to_owned()));
            }
        }
        let plan = self.planned(definition, seen, &given).await.map_err(Text::new)?;
        let digest = plan::digest(&plan).map_err(Text::new)?;
        Ok((plan, digest))
    }

    /// What differs since a fix was proposed, in words. Empty: nothing.
    pub async fn differences(&self, state: &FixState, seen: Option<Seen<'_>>) -> Vec<Text> {
        match self.again(state, seen).await {
            Ok((_, digest)) if digest == state.fix.plan_digest => Vec::new(),
            Ok((now, _)) => match plan::differences(&state.fix.plan, &now) {
                words if words.is_empty() => vec![Text::from("the plan is another one now")],
                words => words,
            },
            Err(why) => vec![Text::new(format!("it could not be proposed now: {}", why.raw()))],
        }
    }

    /// All definitions as others see them.
    pub fn views(&self, record: &dyn Fn(&str) -> Record) -> Vec<DefinitionView> {
        self.catalogue.definitions().map(|definition| self.view(definition, record(&definition.id))).collect()
    }

    fn view(&self, definition: &Definition, record: Record) -> DefinitionView {
        let (mut effective, mut why) = policy::effective(definition.policy, definition.risk, &record);
        if let Some(lacking) = catalogue::lacking(definition, &self.settings, self.documents.is_some()) {
            (effective, why) = (Policy::Off, Text::new(lacking));
        }
        let words = |parameter: &Parameter| {
            let mut words = parameter.kind.words();
            if !parameter.from.is_empty() {
                let from: Vec<String> = parameter.from.iter().map(crate::remedy::definition::Given::words).collect();
                words.push_str(&format!(", from {}", from.join(" or ")));
            }
            (parameter.name.clone(), Text::new(words))
        };
        DefinitionView {
            id: Text::new(definition.id.clone()),
            title: Text::new(definition.title.as_written()),
            risk: definition.risk,
            policy: definition.policy,
            effective_policy: effective,
            why,
            owner: Text::new(definition.owner.clone()),
            runbook: definition.runbook.clone().map(Text::new),
            matches: Text::new(definition.match_words()),
            parameters: definition.parameters.iter().map(words).collect(),
            record,
        }
    }

    async fn drafted(
        &self,
        definition: &Definition,
        seen: Option<Seen<'_>>,
        given: &Given,
        effective: Policy,
        by: &str,
    ) -> Result<Draft, String> {
        let filled = self.filled(definition, seen, given).await?;
        let made = plan::plan(definition, &filled.values, filled.parameters, &self.settings)?;
        let text =
            |template: &crate::remedy::definition::template::Template| template.fill(&filled.values).map(Text::new);
        let alert: Option<&Alert> = seen.map(|seen| seen.alert);
        let alert_id: Option<AlertId> = alert.map(|alert| alert.id.clone());
        Ok(Draft {
            title: text(&definition.title)?,
            alert_id,
            plan_digest: plan::digest(&made)?,
            policy: effective,
            proposed_by: Text::new(by.to_owned()),
            owner: Text::new(definition.owner.clone()),
            quorum: policy::quorum(definition.risk, self.single_person),
            guards: definition.guards.iter().map(text).collect::<Result<_, _>>()?,
            observed: alert.and_then(|alert| alert.brief.observed),
            limits: definition.limits,
            plan: made,
        })
    }

    async fn planned(&self, definition: &Definition, seen: Option<Seen<'_>>, given: &Given) -> Result<FixPlan, String> {
        let filled = self.filled(definition, seen, given).await?;
        plan::plan(definition, &filled.values, filled.parameters, &self.settings)
    }

    /// The values of a definition's parameters: parsed, looked up, checked against its documents.
    async fn filled(&self, definition: &Definition, seen: Option<Seen<'_>>, given: &Given) -> Result<Filled, String> {
        if let Some(lacking) = catalogue::lacking(definition, &self.settings, self.documents.is_some()) {
            return Err(lacking);
        }
        let declared = || definition.parameters.iter().map(|parameter| parameter.name.as_str());
        if let Some(unknown) = given.keys().find(|name| !declared().any(|declared| declared == name.as_str())) {
            return Err(format!("there is no parameter `{}`{}", shown(unknown), suggestion(unknown, declared())));
        }
        let mut filled = Filled { values: Values::new(), parameters: Vec::new() };
        for parameter in &definition.parameters {
            let (raw, source) = said(parameter, seen, given)?;
            let found =
                self.look_up(&parameter.kind, &raw).await.map_err(|why| format!("{}: {why}", parameter.name))?;
            filled.parameters.push(PlanParameter {
                name: Text::new(parameter.name.clone()),
                value: Text::new(found.value.text.clone()),
                kind: Text::from(parameter.kind.word()),
                source: Text::new(source),
                entry: Text::new(found.entry),
            });
            filled.values.insert(parameter.name.clone(), found.value);
        }
        self.documents_hold(definition, &filled.values).await?;
        Ok(filled)
    }
}

/// What is said for a parameter, and by whom: a person, the alert, the definition's default.
fn said(parameter: &Parameter, seen: Option<Seen<'_>>, given: &Given) -> Result<(String, String), String> {
    if let Some((raw, source)) = given.get(&parameter.name) {
        return Ok((raw.clone(), source.clone()));
    }
    let told = seen.and_then(|seen| {
        parameter.from.iter().find_map(|from| seen.says(from).map(|raw| (raw.to_owned(), from.words())))
    });
    let default = || parameter.default.clone().map(|default| (default, DEFAULT.to_owned()));
    told.or_else(default).ok_or_else(|| {
        let from: Vec<String> = parameter.from.iter().map(crate::remedy::definition::Given::words).collect();
        let from = if from.is_empty() {
            "no alert gives it".to_owned()
        } else {
            format!("the alert has no {}", from.join(" or "))
        };
        format!("{}: {from}; give it by hand: {}", parameter.name, parameter.kind.words())
    })
}
