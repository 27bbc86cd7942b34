//! Reads theme files: `inherits`, `[palette]`, `[roles]`.
//!
//! A colour is `#rrggbb`, a number of the 256, `default`, or a name of the palette. A role is a
//! colour or a table of `fg`, `bg`, `bold`, `dim`, `italic`, `underline`, `reverse`.

use std::collections::BTreeMap;
use std::ops::Range;

use ratatui::style::{Color, Modifier, Style};
use toml::de::{DeTable, DeValue};

use super::{BUILT_IN, ROLES, ThemeError, unknown};
use crate::config::located::{Fault, Source};

type Styles = [Style; ROLES.len()];
type Palette = BTreeMap<String, Color>;

const ATTRIBUTES: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
];

/// Loads a theme and those it inherits from; `open` are the ones being loaded.
pub(super) fn load(
    name: &str,
    read: &dyn Fn(&str) -> Option<(String, String)>,
    open: &mut Vec<String>,
) -> Result<(Styles, Palette), ThemeError> {
    if open.iter().any(|begun| begun == name) {
        return Err(ThemeError::Circle(name.escape_debug().to_string()));
    }
    let built_in = || {
        let (_, text) = BUILT_IN.into_iter().find(|(known, _)| *known == name)?;
        Some((text.to_owned(), format!("{name}.toml")))
    };
    let (text, file) = read(name).or_else(built_in).ok_or_else(|| unknown(name))?;
    let source = Source { file: &file, text: &text };
    let table = source.table()?;
    source.only(&table, "key", &["inherits", "palette", "roles"])?;
    open.push(name.to_owned());
    let parent = source.string(&table, "inherits")?;
    let (styles, palette) = match &parent {
        Some(parent) => load(parent, read, open)?,
        None => ([Style::new(); ROLES.len()], Palette::new()),
    };
    let palette = read_palette(source, &table, palette)?;
    Ok((read_roles(source, &table, styles, &palette, parent.is_none())?, palette))
}

fn section<'t, 'a>(source: Source<'_>, table: &'t DeTable<'a>, name: &str) -> Result<Option<&'t DeTable<'a>>, Fault> {
    let Some(found) = table.get(name) else {
        return Ok(None);
    };
    let wrong = || source.fault(&found.span(), format!("`{name}` is a table"));
    found.get_ref().as_table().map(Some).ok_or_else(wrong)
}

fn read_palette(source: Source<'_>, table: &DeTable<'_>, mut palette: Palette) -> Result<Palette, Fault> {
    for (name, value) in section(source, table, "palette")?.into_iter().flatten() {
        let color = color(source, &value.span(), value.get_ref(), &Palette::new())?;
        palette.insert(name.get_ref().to_string(), color);
    }
    Ok(palette)
}

fn read_roles(
    source: Source<'_>,
    table: &DeTable<'_>,
    mut styles: Styles,
    palette: &Palette,
    whole: bool,
) -> Result<Styles, Fault> {
    let known = ROLES.map(|(_, word)| word);
    let roles = section(source, table, "roles")?;
    for (name, value) in roles.into_iter().flatten() {
        let unknown = || source.unknown(&name.span(), "role", name.get_ref(), &known);
        let index = known.iter().position(|word| word == name.get_ref()).ok_or_else(unknown)?;
        styles[index] = style(source, &value.span(), value.get_ref(), palette)?;
    }
    let given = |word: &str| roles.is_some_and(|roles| roles.contains_key(word));
    match known.iter().find(|word| whole && !given(word)) {
        Some(missing) => {
            Err(source.fault(&(0..0), format!("the role `{missing}` is missing, and nothing is inherited")))
        }
        None => Ok(styles),
    }
}

fn style(source: Source<'_>, at: &Range<usize>, value: &DeValue<'_>, palette: &Palette) -> Result<Style, Fault> {
    let Some(table) = value.as_table() else {
        return color(source, at, value, palette).map(|color| Style::new().fg(color));
    };
    let attributes = ATTRIBUTES.map(|(word, _)| word);
    source.only(table, "attribute", &[&["fg", "bg"], attributes.as_slice()].concat())?;
    let mut style = Style::new();
    if let Some(fg) = table.get("fg") {
        style = style.fg(color(source, &fg.span(), fg.get_ref(), palette)?);
    }
    if let Some(bg) = table.get("bg") {
        style = style.bg(color(source, &bg.span(), bg.get_ref(), palette)?);
    }
    for (word, modifier) in ATTRIBUTES {
        if source.flag(table, word)? == Some(true) {
            style = style.add_modifier(modifier);
        }
    }
    Ok(style)
}

fn color(source: Source<'_>, at: &Range<usize>, value: &DeValue<'_>, palette: &Palette) -> Result<Color, Fault> {
    if let Some(number) = value.as_integer() {
        let index = u8::from_str_radix(number.as_str(), number.radix());
        return index.map(Color::Indexed).map_err(|_| source.fault(at, "a colour's number goes from 0 to 255"));
    }
    let word = value.as_str().ok_or_else(|| source.fault(at, "a colour is a text or a number"))?;
    if word == "default" {
        return Ok(Color::Reset);
    }
    if let Some(hex) = word.strip_prefix('#') {
        return rgb(hex).ok_or_else(|| source.fault(at, format!("bad colour `#{}`, want #rrggbb", hex.escape_debug())));
    }
    let known: Vec<&str> = palette.keys().map(String::as_str).collect();
    palette.get(word).copied().ok_or_else(|| source.unknown(at, "colour", word, &known))
}

fn rgb(hex: &str) -> Option<Color> {
    let digits = hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = digits.then(|| u32::from_str_radix(hex, 16).ok()).flatten()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some(Color::Rgb(red, green, blue))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Role, Theme};
    use super::*;

    fn own(text: &'static str) -> Result<Theme, ThemeError> {
        Theme::load("own", &|name| (name == "own").then(|| (text.to_owned(), "own.toml".to_owned())))
    }

    #[test]
    fn what_a_theme_does_not_say_it_inherits() {
        let theme = own("inherits = \"dark\"\n[palette]\nrose = \"#ff0080\"\n[roles]\naccent = \"rose\"\n").unwrap();
        assert_eq!(theme.style(Role::Accent).fg, Some(Color::Rgb(255, 0, 128)));
        assert_eq!(theme.style(Role::Text), Theme::named("dark").unwrap().style(Role::Text));
    }

    #[test]
    fn a_theme_may_use_the_palette_it_inherits() {
        let theme = own("inherits = \"dark\"\n[roles]\naccent = \"coral\"\n").unwrap();
        assert_eq!(theme.style(Role::Accent).fg, Theme::named("dark").unwrap().style(Role::Critical).fg);
    }

    #[test]
    fn faults_are_named_with_file_and_line() {
        for (text, said) in [
            (
                "inherits = \"dark\"\n[roles]\ncritcal = 1\n",
                "read own.toml, line 3: unknown role `critcal` (did you mean `critical`?)",
            ),
            (
                "inherits = \"dark\"\n[palette]\nx = \"#12345\"\n",
                "read own.toml, line 3: bad colour `#12345`, want #rrggbb",
            ),
            (
                "inherits = \"dark\"\n[roles]\ntext = 256\n",
                "read own.toml, line 3: a colour's number goes from 0 to 255",
            ),
            (
                "inherits = \"dark\"\n[roles]\ntext = { bg = 1, blod = true }\n",
                "read own.toml, line 3: unknown attribute `blod` (did you mean `bold`?)",
            ),
            ("[roles]\ntext = 1\n", "read own.toml, line 1: the role `muted` is missing, and nothing is inherited"),
            ("inherits = \"own\"\n", "read the theme `own`: it inherits from itself"),
        ] {
            assert_eq!(own(text).unwrap_err().to_string(), said);
        }
    }
}
