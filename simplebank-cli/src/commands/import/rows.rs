//! The rows of a file: each is one line, and one transfer.

use std::{
    fmt,
    io::{self, BufRead},
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use simplebank::{
    Member, Transfer,
    core::{Amount, Currency, IdempotencyKey, Memo},
};

use super::lines::{Line, Lines};
use crate::args::{FileFormat, KeyPrefix};

/// The longest unknown name that is told, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// A row that can be sent.
pub(super) struct Row {
    /// The number of its line in the file.
    pub(super) line: u64,
    pub(super) member: Member,
}

/// A row that can't be sent.
pub(super) struct BadRow {
    /// The number of its line in the file.
    pub(super) line: u64,
    /// What is wrong, field by field; no field where it is the whole row.
    pub(super) errors: Vec<(Option<Field>, String)>,
}

/// The fields of a row, by their names in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    From,
    To,
    Amount,
    Currency,
    Key,
    Description,
    Reference,
}

impl Field {
    const ALL: [Self; 7] = [
        Self::From,
        Self::To,
        Self::Amount,
        Self::Currency,
        Self::Key,
        Self::Description,
        Self::Reference,
    ];
    /// Those that must be there come first.
    const REQUIRED: usize = 4;

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Key => "key",
            Self::Description => "description",
            Self::Reference => "reference",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

/// How a line becomes a row.
enum Shape {
    /// The fields in the order of the columns.
    Csv(Vec<Field>),
    Jsonl,
}

/// Reads rows.
pub(super) struct Rows<R> {
    lines: Lines<R>,
    shape: Shape,
    prefix: Option<KeyPrefix>,
}

impl<R: BufRead> Rows<R> {
    /// Begins to read a file: its header, if it has one.
    pub(super) fn begin(
        input: R,
        format: FileFormat,
        prefix: Option<KeyPrefix>,
    ) -> io::Result<Self> {
        let mut lines = Lines::new(input);
        let shape = match format {
            FileFormat::Jsonl => Shape::Jsonl,
            FileFormat::Csv => Shape::Csv(header(&mut lines)?),
        };
        Ok(Self { lines, shape, prefix })
    }

    /// How many bytes have been read.
    pub(super) const fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// The next row; `None` at the end of the file. Empty lines are none.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Row, BadRow>>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let texts = match line {
                Line::Text("") => continue,
                Line::Bad(why) => Err(vec![(None, why.to_owned())]),
                Line::Text(text) => match &self.shape {
                    Shape::Csv(columns) => csv_texts(columns, text),
                    Shape::Jsonl => json_texts(text),
                },
            };
            let line = self.lines.number();
            let row = texts.and_then(|texts| texts.read(line, self.prefix.as_ref()));
            let row = row.map(|member| Row { line, member });
            return Ok(Some(row.map_err(|errors| BadRow { line, errors })));
        }
    }
}

/// The columns that the first line of a CSV file names.
fn header<R: BufRead>(lines: &mut Lines<R>) -> io::Result<Vec<Field>> {
    let wrong = |what: &str| {
        let text = format!(
            "the first row {what}; it must name the columns from, to, amount and currency, and may name key, description and \
             reference"
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let names = match lines.next()? {
        None => return Err(wrong("is missing")),
        Some(Line::Bad(why)) => return Err(wrong(why)),
        Some(Line::Text(text)) => csv_cells(text).map_err(wrong)?,
    };
    let mut columns = Vec::new();
    for name in &names {
        let Some(field) = Field::named(name) else {
            return Err(wrong(&format!("has the unknown column {}", fit_to_tell(name))));
        };
        if columns.contains(&field) {
            return Err(wrong(&format!("has the column {} twice", field.as_str())));
        }
        columns.push(field);
    }
    let missing = Field::ALL.iter().take(Field::REQUIRED).find(|field| !columns.contains(field));
    match missing {
        Some(field) => Err(wrong(&format!("has no column {}", field.as_str()))),
        None => Ok(columns),
    }
}

fn csv_cells(line: &str) -> Result<csv::StringRecord, &'static str> {
    // No field may hold a line break, so a quote that is not closed is a mistake of this line's and of no other.
    if !line.matches('"').count().is_multiple_of(2) {
        return Err("has a quote that is not closed on its line");
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1024)
        .from_reader(line.as_bytes());
    let mut cells = csv::StringRecord::new();
    reader.read_record(&mut cells).map_err(|_| "is not CSV")?;
    Ok(cells)
}

/// What is wrong with a row.
type Wrong = Vec<(Option<Field>, String)>;

/// A row's texts, as they stand in the file.
#[derive(Default)]
struct Texts(Vec<(Field, String)>);

fn csv_texts(columns: &[Field], line: &str) -> Result<Texts, Wrong> {
    let cells = csv_cells(line).map_err(|why| vec![(None, why.to_owned())])?;
    if cells.len() != columns.len() {
        let what = format!("has {} fields, the header has {}", cells.len(), columns.len());
        return Err(vec![(None, what)]);
    }
    let texts = columns.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
    Ok(Texts(texts.map(|(field, cell)| (*field, cell.to_owned())).collect()))
}

fn json_texts(line: &str) -> Result<Texts, Wrong> {
    let Ok(Pairs(pairs)) = serde_json::from_str(line) else {
        return Err(vec![(None, "is not one JSON object".to_owned())]);
    };
    let (mut texts, mut wrong) = (Texts::default(), Wrong::new());
    for (name, value) in pairs {
        let Some(field) = Field::named(&name) else {
            wrong.push((None, format!("has the unknown field {}", fit_to_tell(&name))));
            continue;
        };
        match value {
            _ if texts.get(field).is_some() => {
                wrong.push((Some(field), "must be given only once".to_owned()));
            }
            serde_json::Value::String(text) => texts.0.push((field, text)),
            serde_json::Value::Null => {}
            serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => {
                wrong.push((Some(field), "must be a string".to_owned()));
            }
        }
    }
    if wrong.is_empty() { Ok(texts) } else { Err(wrong) }
}

/// A name from outside, safe to show.
fn fit_to_tell(name: &str) -> String {
    let short: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    format!("{short:?}")
}

/// The members of a JSON object in their order, repeated ones too.
struct Pairs(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl Texts {
    fn get(&self, field: Field) -> Option<&str> {
        self.0.iter().find(|(other, _)| *other == field).map(|(_, text)| text.as_str())
    }

    fn required<T: FromStr<Err: fmt::Display>>(
        &self,
        field: Field,
        wrong: &mut Wrong,
    ) -> Option<T> {
        if self.get(field).is_none() {
            wrong.push((Some(field), "is missing".to_owned()));
        }
        self.optional(field, wrong)
    }

    fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        field: Field,
        wrong: &mut Wrong,
    ) -> Option<T> {
        let parsed = self.get(field)?.parse();
        parsed.map_err(|error: T::Err| wrong.push((Some(field), error.to_string()))).ok()
    }

    fn read(&self, line: u64, prefix: Option<&KeyPrefix>) -> Result<Member, Wrong> {
        let mut wrong = Wrong::new();
        let from = self.required(Field::From, &mut wrong);
        let to = self.required(Field::To, &mut wrong);
        let currency: Option<Currency> = self.required(Field::Currency, &mut wrong);
        let amount = self.amount(currency, &mut wrong);
        let memo = Memo {
            description: self.optional(Field::Description, &mut wrong),
            reference: self.optional(Field::Reference, &mut wrong),
        };
        let key = self.key(line, prefix, &mut wrong);
        let member = || {
            let (from_account_id, to_account_id) = (from?, to?);
            let (amount, currency) = (amount?, currency?);
            let transfer = Transfer { from_account_id, to_account_id, amount, currency, memo };
            Some(Member { key: key?, transfer })
        };
        match member() {
            Some(member) if wrong.is_empty() => Ok(member),
            Some(_) | None => Err(wrong),
        }
    }

    /// The amount, which only its currency can judge.
    fn amount(&self, currency: Option<Currency>, wrong: &mut Wrong) -> Option<Amount> {
        let Some(text) = self.get(Field::Amount) else {
            wrong.push((Some(Field::Amount), "is missing".to_owned()));
            return None;
        };
        let parsed = Amount::parse(text, currency?);
        parsed.map_err(|error| wrong.push((Some(Field::Amount), error.to_string()))).ok()
    }

    fn key(
        &self,
        line: u64,
        prefix: Option<&KeyPrefix>,
        wrong: &mut Wrong,
    ) -> Option<IdempotencyKey> {
        if self.get(Field::Key).is_some() {
            return self.optional(Field::Key, wrong);
        }
        if prefix.is_none() {
            let what = "is missing; what is read from a pipe needs keys, or --key-prefix";
            wrong.push((Some(Field::Key), what.to_owned()));
        }
        prefix.map(|prefix| prefix.key(line))
    }
}
