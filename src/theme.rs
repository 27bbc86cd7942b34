//! Roles become styles. A theme is a palette and one style for each meaning; screens name meanings.
//!
//! Knows no screen and no widget. Reads no environment on its own: whoever starts the console says
//! how many colours the terminal has ([`Depth::from_env`] takes the look-up as an argument).

mod depth;
mod file;

pub use depth::Depth;

use ratatui::style::{Color, Style};

use crate::config::located::{Fault, suggest};

/// A meaning that something on the screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important text.
    Muted,
    /// Hardly important text.
    Faint,
    /// Rules and frames.
    Border,
    /// Headings.
    Title,
    /// What the keyboard is for.
    Focus,
    /// The row under the cursor.
    Selection,
    /// The one accent.
    Accent,
    /// Something that can be opened.
    Link,
    /// Severity critical.
    Critical,
    /// Severity high.
    High,
    /// Severity medium.
    Medium,
    /// Severity low.
    Low,
    /// All is well.
    Ok,
    /// Something is under way or late.
    Waiting,
    /// What is shown is old.
    Stale,
    /// Act with care.
    Danger,
    /// The line or bars of a chart.
    Chart,
    /// A limit in a chart.
    Limit,
    /// What is usual, in a chart.
    Band,
    /// The profile's badge.
    Badge,
}

/// Every role with its name in theme files, in the order of [`Role`].
const ROLES: [(Role, &str); 21] = [
    (Role::Text, "text"),
    (Role::Muted, "muted"),
    (Role::Faint, "faint"),
    (Role::Border, "border"),
    (Role::Title, "title"),
    (Role::Focus, "focus"),
    (Role::Selection, "selection"),
    (Role::Accent, "accent"),
    (Role::Link, "link"),
    (Role::Critical, "critical"),
    (Role::High, "high"),
    (Role::Medium, "medium"),
    (Role::Low, "low"),
    (Role::Ok, "ok"),
    (Role::Waiting, "waiting"),
    (Role::Stale, "stale"),
    (Role::Danger, "danger"),
    (Role::Chart, "chart"),
    (Role::Limit, "limit"),
    (Role::Band, "band"),
    (Role::Badge, "badge"),
];

/// The themes inside the binary.
const BUILT_IN: [(&str, &str); 5] = [
    ("inherit", include_str!("../themes/inherit.toml")),
    ("dark", include_str!("../themes/dark.toml")),
    ("light", include_str!("../themes/light.toml")),
    ("mono", include_str!("../themes/mono.toml")),
    ("high-contrast", include_str!("../themes/high-contrast.toml")),
];

/// Names of the themes inside the binary.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// One style for each role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    styles: [Style; ROLES.len()],
}

/// A theme cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// There is no theme of that name.
    #[error("find the theme `{name}` ({hint})")]
    Unknown {
        /// What was asked for, escaped.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// Its file is faulty.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It inherits from a theme that (at some depth) inherits from it.
    #[error("read the theme `{0}`: it inherits from itself")]
    Circle(String),
}

impl Theme {
    /// A theme inside the binary, in full colour.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        Self::load(name, &|_| None)
    }

    /// A theme by name; `read` gives the text and the name of the operator's own file of that name,
    /// which wins over the one inside the binary.
    ///
    /// # Errors
    /// When there is none of that name, or its file is faulty.
    pub fn load(name: &str, read: &dyn Fn(&str) -> Option<(String, String)>) -> Result<Self, ThemeError> {
        file::load(name, read, &mut Vec::new()).map(|(styles, _)| Self { styles })
    }

    /// The same theme on a terminal with fewer colours.
    pub fn at(&self, depth: Depth) -> Self {
        if depth == Depth::Mono {
            return Self::named("mono").unwrap_or_else(|_| Self { styles: [Style::new(); ROLES.len()] });
        }
        let fold = |color: Option<Color>| color.map(|color| depth.fold(color));
        let styles = self.styles.map(|style| Style { fg: fold(style.fg), bg: fold(style.bg), ..style });
        Self { styles }
    }

    /// The style of a meaning.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

/// The terminal's own colours.
impl Default for Theme {
    fn default() -> Self {
        Self::named("inherit").unwrap_or_else(|_| Self { styles: [Style::new(); ROLES.len()] })
    }
}

fn unknown(name: &str) -> ThemeError {
    ThemeError::Unknown { name: name.escape_debug().to_string(), hint: suggest(name, &names()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use ratatui::style::Modifier;

    use super::*;

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(color: Color) -> f64 {
        let Color::Rgb(red, green, blue) = color else { panic!("{color:?} is not a true colour") };
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(style: Style) -> f64 {
        let (one, two) = (luminance(style.fg.unwrap()), luminance(style.bg.unwrap()));
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    #[test]
    fn everything_to_be_read_has_contrast_of_four_and_a_half() {
        for name in ["dark", "light", "high-contrast"] {
            let theme = Theme::named(name).unwrap();
            for (role, word) in ROLES.into_iter().filter(|(role, _)| *role != Role::Border) {
                let contrast = contrast(theme.style(role));
                assert!(contrast >= 4.5, "{name}: {word} has {contrast:.2}");
            }
        }
    }

    #[test]
    fn the_selected_row_keeps_the_contrast_of_every_severity() {
        for name in ["dark", "light", "high-contrast"] {
            let theme = Theme::named(name).unwrap();
            for role in [Role::Critical, Role::High, Role::Medium, Role::Low, Role::Text] {
                let shown = Style { bg: theme.style(Role::Selection).bg, ..theme.style(role) };
                let contrast = contrast(shown);
                assert!(contrast >= 4.5, "{name}: {role:?} on the selection has {contrast:.2}");
            }
        }
    }

    #[test]
    fn every_role_stands_at_its_own_place() {
        for (index, (role, _)) in ROLES.into_iter().enumerate() {
            assert_eq!(role as usize, index);
        }
    }

    #[test]
    fn without_colours_weight_and_reversal_remain() {
        for name in names() {
            let mono = Theme::named(name).unwrap().at(Depth::Mono);
            assert!(ROLES.iter().all(|(role, _)| mono.style(*role).fg.is_none_or(|color| color == Color::Reset)));
            assert!(mono.style(Role::Selection).add_modifier.contains(Modifier::REVERSED));
            assert!(mono.style(Role::Critical).add_modifier.contains(Modifier::BOLD));
        }
    }

    #[test]
    fn the_default_sets_no_background() {
        let theme = Theme::default();
        assert!(ROLES.iter().all(|(role, _)| theme.style(*role).bg.is_none_or(|color| color == Color::Reset)));
    }

    #[test]
    fn a_theme_that_does_not_exist_names_the_nearest() {
        let error = Theme::named("drak").unwrap_err();
        assert_eq!(error.to_string(), "find the theme `drak` (did you mean `dark`?)");
    }
}
