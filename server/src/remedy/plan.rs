//! A definition and its values make a plan: exactly what runs, and the digest that approvals bind to.
//!
//! The same definition, values and settings always make the same plan: no time, no alert and no
//! observation goes in, so that a plan made again at its start tells whether anything changed.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use stella_protocol::Text;
use stella_protocol::fix::{
    Act, ArgvAct, Check, Condition, DocumentAct, DocumentChange, FixPlan, HttpAct, PlanParameter, PlanStep, Probe,
    RepairAct, Undo, Verification,
};

use super::definition::template::{Template, Values};
use super::definition::{
    ActTemplate, ArgvTemplate, CheckTemplate, ConditionTemplate, Definition, HttpTemplate, JsonTemplate, Precondition,
    ProbeTemplate, Step, UndoTemplate,
};
use super::parameter::is_id;
use super::settings::Settings;

/// The plan of a definition with these values.
///
/// # Errors
/// What cannot be filled in, and why.
pub fn plan(
    definition: &Definition,
    values: &Values,
    parameters: Vec<PlanParameter>,
    settings: &Settings,
) -> Result<FixPlan, String> {
    let fill = Filling { values, settings };
    let asked = definition.preconditions.iter().filter_map(|one| match one {
        Precondition::Asked(probe) => Some(fill.probe(probe)),
        Precondition::Document { .. } => None,
    });
    Ok(FixPlan {
        definition_id: Text::new(definition.id.clone()),
        definition_digest: Text::new(definition.digest.clone()),
        risk: definition.risk,
        policy: definition.policy,
        target: fill.text(&definition.target)?,
        parameters,
        preconditions: asked.collect::<Result<_, _>>()?,
        steps: definition.steps.iter().map(|step| fill.step(step)).collect::<Result<_, _>>()?,
        touches: fill.texts(&definition.touches)?,
        will_not_undo: fill.texts(&definition.will_not_undo)?,
        verification: definition
            .verification
            .as_ref()
            .map(|verify| {
                let check = fill.check(&verify.check)?;
                Ok::<_, String>(Verification { check, hold_ms: verify.hold_ms, within_ms: verify.within_ms })
            })
            .transpose()?,
        guard: definition.guard.as_ref().map(|guard| fill.check(guard)).transpose()?,
    })
}

/// SHA-256 of a plan's canonical JSON, hex: keys sorted, no spaces.
///
/// # Errors
/// When the plan holds what JSON has no word for.
pub fn digest(plan: &FixPlan) -> Result<Text, String> {
    let canonical =
        serde_json::to_value(plan).map_err(|_| "the plan cannot be written as JSON".to_owned())?.to_string();
    Ok(Text::new(hex_digest(&canonical)))
}

/// SHA-256 of a text, hex.
pub fn hex_digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        hex.push_str(&format!("{byte:02x}"));
        hex
    })
}

/// What differs between two plans, in words; empty: nothing.
pub fn differences(before: &FixPlan, now: &FixPlan) -> Vec<Text> {
    let mut words = Vec::new();
    let mut say = |differs: bool, what: String| {
        if differs {
            words.push(Text::new(what));
        }
    };
    say(before.definition_digest != now.definition_digest, "the definition was changed".to_owned());
    say(before.target != now.target, format!("the target is {} now, it was {}", now.target.raw(), before.target.raw()));
    for parameter in &now.parameters {
        let old = before.parameters.iter().find(|old| old.name == parameter.name);
        let name = parameter.name.raw();
        match old {
            None => say(true, format!("{name} is new")),
            Some(old) => {
                let (was, is) = (old.value.raw(), parameter.value.raw());
                say(was != is, format!("{name} is {is} now, it was {was}"));
                say(was == is && old.entry != parameter.entry, format!("the entry of {name} in its inventory changed"));
                say(was == is && old.source != parameter.source, format!("{name} comes from elsewhere"));
            }
        }
    }
    let steps = before.steps.len().max(now.steps.len());
    for number in 0..steps {
        let same = before.steps.get(number) == now.steps.get(number);
        say(!same, format!("step {} does something else", number + 1));
    }
    say(before.preconditions != now.preconditions, "what must hold before it runs changed".to_owned());
    say(before.verification != now.verification, "how its success is told changed".to_owned());
    say(before.guard != now.guard, "what must stay so while it runs changed".to_owned());
    say((before.risk, before.policy) != (now.risk, now.policy), "its risk or policy changed".to_owned());
    say(words_differ(before, now), "what it is said to touch, or not to undo, changed".to_owned());
    words
}

fn words_differ(before: &FixPlan, now: &FixPlan) -> bool {
    (&before.touches, &before.will_not_undo) != (&now.touches, &now.will_not_undo)
}

/// Fills templates of one plan.
struct Filling<'a> {
    values: &'a Values,
    settings: &'a Settings,
}

impl Filling<'_> {
    fn text(&self, template: &Template) -> Result<Text, String> {
        template.fill(self.values).map(Text::new)
    }

    fn texts(&self, templates: &[Template]) -> Result<Vec<Text>, String> {
        templates.iter().map(|template| self.text(template)).collect()
    }

    fn step(&self, step: &Step) -> Result<PlanStep, String> {
        let undo = match &step.undo {
            None => None,
            Some(UndoTemplate::Restore) => Some(Undo::Restore),
            Some(UndoTemplate::Act { title, act, probe, idempotent }) => Some(Undo::Act {
                title: self.text(title)?,
                act: self.act(act)?,
                probe: probe.as_ref().map(|probe| self.probe(probe)).transpose()?,
                idempotent: *idempotent,
            }),
        };
        Ok(PlanStep {
            title: self.text(&step.title)?,
            act: self.act(&step.act)?,
            probe: step.probe.as_ref().map(|probe| self.probe(probe)).transpose()?,
            undo,
            idempotent: step.idempotent,
            fenced: step.fenced,
            retries: step.retries,
        })
    }

    fn act(&self, act: &ActTemplate) -> Result<Act, String> {
        match act {
            ActTemplate::Http(http) => self.http(http).map(Act::Http),
            ActTemplate::Argv(argv) => self.argv(argv).map(Act::Argv),
            ActTemplate::Document { collection, id, set } => {
                let change = match set {
                    None => DocumentChange::Delete,
                    Some(fields) => DocumentChange::Set { fields: self.fields(fields)? },
                };
                Ok(Act::Document(DocumentAct { collection: self.path(collection)?, id: self.text(id)?, change }))
            }
            ActTemplate::Repair { user, wrong, collections } => self.repair(user, wrong, collections).map(Act::Repair),
        }
    }

    fn path(&self, segments: &[Template]) -> Result<Text, String> {
        let segments: Result<Vec<String>, String> = segments.iter().map(|one| one.fill(self.values)).collect();
        Ok(Text::new(segments?.join("/")))
    }

    fn http(&self, http: &HttpTemplate) -> Result<HttpAct, String> {
        let base = self.settings.base(&http.base);
        let base = base.ok_or_else(|| format!("the configuration has no `[[fixes.base]]` named `{}`", http.base))?;
        let mut url = format!("{}/{}", base.url, self.path(&http.path)?.raw());
        for (number, (name, value)) in http.query.iter().enumerate() {
            let mark = if number == 0 { '?' } else { '&' };
            url.push_str(&format!("{mark}{name}={}", value.fill(self.values)?));
        }
        let header = |(name, value): (&String, &Template)| Ok((name.clone(), self.text(value)?));
        Ok(HttpAct {
            method: http.method,
            base: Text::new(base.name.clone()),
            url: Text::new(url),
            headers: http.headers.iter().map(header).collect::<Result<_, String>>()?,
            body: http.body.as_ref().map(|body| self.json(body)).transpose()?,
            success: http.success.clone(),
            timeout_ms: http.timeout_ms,
        })
    }

    fn argv(&self, argv: &ArgvTemplate) -> Result<ArgvAct, String> {
        let program = self.settings.program(&argv.program);
        let program =
            program.ok_or_else(|| format!("the configuration has no `[[fixes.program]]` named `{}`", argv.program))?;
        let path = program.path.to_str().ok_or_else(|| format!("the path of `{}` is no text", argv.program))?;
        let fixed = program.arguments.iter().map(|argument| Ok(Text::new(argument.clone())));
        let given = argv.arguments.iter().map(|argument| self.text(argument));
        Ok(ArgvAct {
            program: Text::new(path.to_owned()),
            arguments: fixed.chain(given).collect::<Result<_, String>>()?,
            environment: program.environment.iter().map(|name| Text::new(name.clone())).collect(),
            success: argv.success.clone(),
            clean: argv.clean.clone(),
            timeout_ms: argv.timeout_ms,
        })
    }

    fn repair(&self, user: &Template, wrong: &[Template], collections: &[String]) -> Result<RepairAct, String> {
        let user = self.text(user)?;
        let mut forms = Vec::new();
        for template in wrong {
            // A person without such a form has nothing of that kind to repair; another template may.
            forms.extend(template.fill_all(self.values).unwrap_or_default());
        }
        forms.sort();
        forms.dedup();
        forms.retain(|form| form != user.raw());
        if let Some(bad) = forms.iter().find(|form| !is_id(form)) {
            return Err(format!("`{}` is no form of an id", crate::toml_source::shown(bad)));
        }
        if forms.is_empty() {
            return Err("no wrong form of this user's id is known".to_owned());
        }
        let collections = collections.iter().map(|collection| Text::new(collection.clone())).collect();
        Ok(RepairAct { user, wrong: forms.into_iter().map(Text::new).collect(), collections })
    }

    fn fields(&self, fields: &BTreeMap<String, JsonTemplate>) -> Result<BTreeMap<String, Json>, String> {
        fields.iter().map(|(name, value)| Ok((name.clone(), self.json(value)?))).collect()
    }

    fn json(&self, template: &JsonTemplate) -> Result<Json, String> {
        json(template, self.values)
    }

    fn probe(&self, probe: &ProbeTemplate) -> Result<Probe, String> {
        Ok(Probe {
            title: self.text(&probe.title)?,
            act: self.act(&probe.act)?,
            done: self.condition(&probe.done)?,
            not_done: self.condition(&probe.not_done)?,
        })
    }

    fn condition(&self, condition: &ConditionTemplate) -> Result<Condition, String> {
        let equals = condition.equals.as_ref().map(|equals| self.json(equals)).transpose()?;
        Ok(Condition { equals, ..condition.fixed.clone() })
    }

    fn check(&self, template: &CheckTemplate) -> Result<Check, String> {
        Ok(match (&template.check, &template.series) {
            (Check::Series { side, limit, .. }, Some(series)) => {
                Check::Series { series: self.text(series)?, side: *side, limit: *limit }
            }
            (check, _) => check.clone(),
        })
    }
}

/// JSON with its values.
///
/// # Errors
/// What cannot be filled in, and why.
pub fn json(template: &JsonTemplate, values: &Values) -> Result<Json, String> {
    Ok(match template {
        JsonTemplate::Fixed(fixed) => fixed.clone(),
        JsonTemplate::Text(text) => Json::String(text.fill(values)?),
        JsonTemplate::List(items) => items.iter().map(|item| json(item, values)).collect::<Result<Vec<_>, _>>()?.into(),
        JsonTemplate::Object(entries) => {
            let entry = |(key, value): (&String, &JsonTemplate)| Ok((key.clone(), json(value, values)?));
            Json::Object(entries.iter().map(entry).collect::<Result<_, String>>()?)
        }
    })
}
