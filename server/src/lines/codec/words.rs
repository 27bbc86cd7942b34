//! The byte that stands for each word of an event. What is written stays readable: a byte never changes its meaning, and
//! one that nobody knows is the unknown word.

use stella_protocol::log::{ComponentHealth, Login};
use stella_protocol::{Category, Level, Severity};

pub(super) fn level_code(level: Level) -> u8 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warn => 2,
        Level::Error => 3,
        Level::Metric => 4,
        Level::Unknown => u8::MAX,
    }
}

pub(super) fn level_of(code: u8) -> Level {
    match code {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warn,
        3 => Level::Error,
        4 => Level::Metric,
        _ => Level::Unknown,
    }
}

pub(super) fn category_code(category: Category) -> u8 {
    match category {
        Category::Performance => 0,
        Category::Security => 1,
        Category::Data => 2,
        Category::Ui => 3,
        Category::UserFriction => 4,
        Category::Unknown => u8::MAX,
    }
}

pub(super) fn category_of(code: u8) -> Category {
    match code {
        0 => Category::Performance,
        1 => Category::Security,
        2 => Category::Data,
        3 => Category::Ui,
        4 => Category::UserFriction,
        _ => Category::Unknown,
    }
}

/// The other way is [`Severity::rank`].
pub(super) fn severity_of(rank: u8) -> Severity {
    match rank {
        1 => Severity::Low,
        2 => Severity::Medium,
        3 => Severity::High,
        4 => Severity::Critical,
        _ => Severity::Unknown,
    }
}

pub(super) fn health_code(health: ComponentHealth) -> u8 {
    match health {
        ComponentHealth::Healthy => 0,
        ComponentHealth::Degraded => 1,
        ComponentHealth::Down => 2,
        ComponentHealth::Unknown => u8::MAX,
    }
}

pub(super) fn health_of(code: u8) -> ComponentHealth {
    match code {
        0 => ComponentHealth::Healthy,
        1 => ComponentHealth::Degraded,
        2 => ComponentHealth::Down,
        _ => ComponentHealth::Unknown,
    }
}

pub(super) fn login_code(login: Login) -> u8 {
    match login {
        Login::Failed => 0,
        Login::Succeeded => 1,
        Login::LockedOut => 2,
        Login::Unknown => u8::MAX,
    }
}

pub(super) fn login_of(code: u8) -> Login {
    match code {
        0 => Login::Failed,
        1 => Login::Succeeded,
        2 => Login::LockedOut,
        _ => Login::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_enum_survives() {
        for code in [0, 1, 2, 3, 4, u8::MAX] {
            assert_eq!(level_code(level_of(code)), code);
            assert_eq!(category_code(category_of(code)), code);
            assert_eq!(severity_of(code).rank(), if code > 4 { 0 } else { code });
        }
        for code in [0, 1, 2, u8::MAX] {
            assert_eq!((health_code(health_of(code)), login_code(login_of(code))), (code, code));
        }
    }
}
