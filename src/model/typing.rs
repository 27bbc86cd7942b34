//! What is typed, and whom it reaches: the question that stands open, a page, or the keys of the view.

use super::{Model, TWICE_MS};
use crate::effect::Effect;
use crate::event::Now;
use crate::frame::{self, dialog::Dialog};
use crate::keys::{self, Key, Mode, Press};

impl Model {
    pub(super) fn key(&mut self, now: Now, key: Key, effects: &mut Vec<Effect>) {
        self.ui.last_key = Some(now.steady);
        if key == Key::ctrl('c') {
            return self.interrupt(now, effects);
        }
        if !frame::fits(self.ui.size) {
            return self.blind_key(now, key, effects);
        }
        if self.ui.dialog.is_some() {
            return self.dialog_key(now, key, effects);
        }
        if let Some(page) = &mut self.ui.first_run {
            let choice = page.key(key);
            effects.extend(choice);
            return;
        }
        if let Some(page) = &mut self.ui.help {
            if page.key(key, self.ui.size) {
                self.ui.help = None;
            }
            return;
        }
        let mode = self.mode();
        let begun = self.ui.begun.take();
        match keys::press(mode, begun, key) {
            Press::Begun => self.ui.begun = Some(key),
            Press::Complete(row) if key.repeat && row.class > keys::Class::View => {}
            Press::Complete(row) => self.intent(now, row.intent, effects),
            Press::Nothing => self.nothing(now, mode, begun, key),
        }
    }

    /// Nothing can be seen, so nothing can be meant but quitting.
    fn blind_key(&mut self, now: Now, key: Key, effects: &mut Vec<Effect>) {
        if self.ui.dialog.as_ref().is_some_and(Dialog::is_quit) {
            self.dialog_key(now, key, effects);
        } else if key == Key::char('q') {
            self.ui.dialog = Some(Dialog::quit(now.steady));
        }
    }

    /// Says where a key would work, rather than swallowing it.
    fn nothing(&mut self, now: Now, mode: Mode, begun: Option<Key>, key: Key) {
        if begun.is_none() {
            let elsewhere = Mode::ALL
                .into_iter()
                .filter(|other| *other != mode)
                .any(|other| matches!(keys::press(other, None, key), Press::Complete(_)));
            if elsewhere {
                self.say(now, format!("{} does nothing here; ? lists the keys of this view", keys::name(key)));
            }
        }
    }

    pub(super) fn paste(&mut self, now: Now, text: &str) {
        if let Some(dialog) = &mut self.ui.dialog {
            if !dialog.paste(text) {
                self.say(now, "nothing was pasted: this has to be typed".to_owned());
            }
        } else if let Some(page) = &mut self.ui.first_run {
            page.paste(text);
        }
    }

    pub(super) fn interrupt(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.ui.last_interrupt.is_some_and(|at| now.steady - at <= TWICE_MS) {
            effects.push(Effect::Quit);
            return;
        }
        self.ui.last_interrupt = Some(now.steady);
        self.ui.begun = None;
        self.ui.dialog = None;
        self.ui.armed = None;
        self.ui.armed_migration = None;
        self.ui.help = None;
        self.say(now, "Ctrl-c again within a second quits".to_owned());
    }
}
