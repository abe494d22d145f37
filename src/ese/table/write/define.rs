//! What a new table shall look like, in the caller's words; numbers and flags follow from it.

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
use crate::ese::table::key::{Condition, IndexFlags, IndexSegment, KEY_MOST_BYTES};
use crate::ese::table::value::CODE_PAGE_WESTERN;

/// Longest name of a table, column or index in bytes. Source: ese-logical 6.10.
const NAME_BYTES_MAX: usize = 64;
/// Longest key that may be asked for on 4 KiB pages. Source: ese-logical 6.1.
const KEY_MOST_BYTES_MAX: u16 = 1000;
/// Last fixed, variable and tagged column number.
const FID_LAST: [u16; 3] = [127, 255, 0x7ffe];

/// Where a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// At a fixed offset: every type but the long ones.
    Fixed,
    /// With its length: Binary and Text only.
    Variable,
    /// Only in rows that have it: any type; long types always.
    Tagged,
}

/// A column to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// The name: 1 to 64 ASCII characters.
    pub name: String,
    /// The type.
    pub coltyp: ColumnType,
    /// Where it is stored.
    pub placement: Placement,
    /// Longest value in bytes; 0 = the longest that the type allows. The width of fixed Binary and Text.
    pub max_bytes: u32,
    /// NOT NULL, auto-increment, multi-valued, compressed; the others follow.
    pub flags: ColumnFlags,
    /// 1252 or 1200 for text; ignored for other types.
    pub code_page: u16,
    /// Value of rows that do not give one.
    pub default: Option<Vec<u8>>,
}

impl NewColumn {
    /// A nullable column without a default, stored as its type suggests: fixed where the width is, variable for Binary and
    /// Text, tagged for long types.
    pub fn new(name: &str, coltyp: ColumnType) -> Self {
        let placement = match coltyp {
            ColumnType::Binary | ColumnType::Text => Placement::Variable,
            _ if coltyp.is_long_value() => Placement::Tagged,
            _ => Placement::Fixed,
        };
        let code_page = if coltyp.is_text() { CODE_PAGE_WESTERN } else { 0 };
        let flags = ColumnFlags::empty();
        Self {
            name: name.to_owned(),
            coltyp,
            placement,
            max_bytes: 0,
            flags,
            code_page,
            default: None,
        }
    }

    /// Stores the column elsewhere.
    #[must_use]
    pub fn placed(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Adds flags.
    #[must_use]
    pub fn flagged(mut self, flags: ColumnFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// Sets the longest value, or the width.
    #[must_use]
    pub fn bytes(mut self, max_bytes: u32) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets the code page of text.
    #[must_use]
    pub fn encoded(mut self, code_page: u16) -> Self {
        self.code_page = code_page;
        self
    }

    /// Sets the default.
    #[must_use]
    pub fn defaulting_to(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.default = Some(value.into());
        self
    }
}

/// Which rows an index leaves out because of NULLs. Source: ese-logical 1.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullRule {
    /// None: NULL is a key like any other.
    #[default]
    Keep,
    /// Rows whose key is NULL altogether.
    IgnoreNull,
    /// Rows whose first key column is NULL.
    IgnoreFirstNull,
    /// Rows with NULL in any key column.
    IgnoreAnyNull,
}

/// An index to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIndex {
    /// The name: 1 to 64 ASCII characters.
    pub name: String,
    /// Column names, most significant first, and whether they descend.
    pub segments: Vec<(String, bool)>,
    /// Whether a key may occur once only.
    pub is_unique: bool,
    /// Which rows are left out.
    pub nulls: NullRule,
    /// Longest key in bytes, 255 to 1000.
    pub key_most_bytes: u16,
    /// Columns that must be NULL (true) or not NULL (false) for a row to be in the index.
    pub conditions: Vec<(String, bool)>,
}

impl NewIndex {
    /// An index over `columns`; a `-` before a name makes it descend.
    pub fn new(name: &str, columns: &[&str]) -> Self {
        let segment = |column: &&str| match column.strip_prefix('-') {
            Some(column) => (column.to_owned(), true),
            None => ((*column).to_owned(), false),
        };
        Self {
            name: name.to_owned(),
            segments: columns.iter().map(segment).collect(),
            is_unique: false,
            nulls: NullRule::Keep,
            key_most_bytes: KEY_MOST_BYTES,
            conditions: Vec::new(),
        }
    }

    /// Makes keys unique.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.is_unique = true;
        self
    }

    /// Sets which rows are left out.
    #[must_use]
    pub fn leaving_out(mut self, nulls: NullRule) -> Self {
        self.nulls = nulls;
        self
    }

    /// Sets the longest key.
    #[must_use]
    pub fn key_bytes(mut self, key_most_bytes: u16) -> Self {
        self.key_most_bytes = key_most_bytes;
        self
    }
}

/// A table to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    /// The name: 1 to 64 ASCII characters.
    pub name: String,
    /// Columns; their numbers follow from their order and placement.
    pub columns: Vec<NewColumn>,
    /// The primary index; without one rows keep the order in which they came.
    pub primary: Option<NewIndex>,
    /// Secondary indexes.
    pub indexes: Vec<NewIndex>,
    /// Pages that the table owns from the start.
    pub initial_pages: u32,
}

impl NewTable {
    /// A table without columns.
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, columns: Vec::new(), primary: None, indexes: Vec::new(), initial_pages: 4 }
    }

    /// Adds a column.
    #[must_use]
    pub fn column(mut self, column: NewColumn) -> Self {
        self.columns.push(column);
        self
    }

    /// Sets the primary index.
    #[must_use]
    pub fn primary(mut self, index: NewIndex) -> Self {
        self.primary = Some(index);
        self
    }

    /// Adds a secondary index.
    #[must_use]
    pub fn index(mut self, index: NewIndex) -> Self {
        self.indexes.push(index);
        self
    }
}

pub(super) fn bad(object: &str, reason: impl Into<String>) -> EseError {
    EseError::refused(Refusal::BadRequest, reason).in_object(object)
}

/// Refuses a name that not every reader can take.
pub(super) fn check_name(name: &str) -> EseResult<()> {
    let is_fine = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_fine { Ok(()) } else { Err(bad(name, "a name has 1 to 64 printable ASCII characters")) }
}

/// Numbers the columns: fixed from 1, variable from 128, tagged from 256, without gaps, in the caller's order.
pub(super) fn number_columns(columns: &[NewColumn]) -> EseResult<Vec<ColumnDef>> {
    let mut numbered = Vec::with_capacity(columns.len());
    let mut offset = 4u16;
    let placements = [Placement::Fixed, Placement::Variable, Placement::Tagged];
    for (placement, (first, last)) in
        placements.into_iter().zip([1, 128, 256].into_iter().zip(FID_LAST))
    {
        let placed = columns.iter().filter(|column| column.placement == placement);
        for (fid, column) in (first..).zip(placed) {
            if fid > last {
                return Err(bad(&column.name, "the table has too many columns of this placement"));
            }
            let mut column = define_column(column, Fid(fid))?;
            if placement == Placement::Fixed {
                column.record_offset = Some(offset);
                offset = offset.saturating_add(column.width_bytes() as u16);
            }
            numbered.push(column);
        }
    }
    let mut names: Vec<String> =
        numbered.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(bad(&pair[0], "two columns have this name"));
    }
    Ok(numbered)
}

/// Numbers one more tagged column of a table.
pub(super) fn next_tagged_column(known: &[ColumnDef], new: &NewColumn) -> EseResult<ColumnDef> {
    if known.iter().any(|column| column.name.eq_ignore_ascii_case(&new.name)) {
        return Err(bad(&new.name, "the table has a column of this name"));
    }
    let [.., last] = FID_LAST;
    let largest = known.iter().map(|column| column.fid.0).max().unwrap_or(0).max(255);
    if largest >= last {
        return Err(bad(&new.name, "the table has too many columns of this placement"));
    }
    define_column(new, Fid(largest + 1))
}

fn define_column(column: &NewColumn, fid: Fid) -> EseResult<ColumnDef> {
    check_name(&column.name)?;
    let coltyp = column.coltyp;
    let refuse = |reason: &str| Err(bad(&column.name, reason));
    let is_short = matches!(coltyp, ColumnType::Binary | ColumnType::Text);
    match (column.placement, coltyp) {
        (_, ColumnType::Nil | ColumnType::Slv | ColumnType::UnsignedLongLong) => {
            return refuse("not every reader knows this column type");
        }
        (Placement::Variable, _) if !is_short => {
            return refuse("only Binary and Text may be variable");
        }
        (Placement::Fixed, _) if coltyp.is_long_value() => return refuse("long types are tagged"),
        _ => {}
    }
    if column.flags.contains(ColumnFlags::MULTI_VALUED) && column.placement != Placement::Tagged {
        return refuse("only tagged columns may be multi-valued");
    }
    if coltyp.is_text() && ![1200, 1252].contains(&column.code_page) {
        return refuse("text is in code page 1252 or 1200");
    }
    if is_short && column.max_bytes > 255 || column.default.as_ref().is_some_and(|d| d.len() > 255)
    {
        return refuse("such a value has at most 255 bytes");
    }
    let max_bytes = match coltyp.fixed_width_bytes() {
        Some(width) => width as u32,
        None if is_short && column.max_bytes == 0 => 255,
        None => column.max_bytes,
    };
    let has_default =
        if column.default.is_some() { ColumnFlags::DEFAULT } else { ColumnFlags::empty() };
    Ok(ColumnDef {
        fid,
        name: column.name.clone(),
        coltyp,
        max_bytes,
        flags: column.flags | has_default,
        code_page: if coltyp.is_text() { column.code_page } else { 0 },
        record_offset: None,
        default: column.default.clone(),
        derived: false,
    })
}

/// The parts of an index definition that follow from the request: flags, segments, conditions.
pub(super) fn define_index(
    index: &NewIndex,
    columns: &[ColumnDef],
    is_primary: bool,
) -> EseResult<(IndexFlags, Vec<IndexSegment>, Vec<Condition>)> {
    check_name(&index.name)?;
    if !(KEY_MOST_BYTES..=KEY_MOST_BYTES_MAX).contains(&index.key_most_bytes) {
        return Err(bad(&index.name, "the longest key has 255 to 1000 bytes"));
    }
    if !(1..=12).contains(&index.segments.len()) {
        return Err(bad(&index.name, "an index has 1 to 12 columns"));
    }
    let find = |name: &str| {
        let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.ok_or_else(|| bad(&index.name, format!("there is no column {name}")))
    };
    let mut flags = IndexFlags::EXTENDED_COLUMNS
        | match index.nulls {
            NullRule::Keep => {
                IndexFlags::ALLOW_ALL_NULLS
                    | IndexFlags::ALLOW_FIRST_NULL
                    | IndexFlags::ALLOW_SOME_NULLS
            }
            NullRule::IgnoreNull => IndexFlags::ALLOW_FIRST_NULL | IndexFlags::ALLOW_SOME_NULLS,
            NullRule::IgnoreFirstNull => IndexFlags::ALLOW_SOME_NULLS,
            NullRule::IgnoreAnyNull => IndexFlags::empty(),
        };
    if index.is_unique || is_primary {
        flags |= IndexFlags::UNIQUE;
    }
    if is_primary {
        flags |= IndexFlags::PRIMARY;
    }
    let mut segments = Vec::with_capacity(index.segments.len());
    for (name, descending) in &index.segments {
        let column = find(name)?;
        if column.coltyp.is_text() && column.code_page == 1200 {
            return Err(bad(
                &index.name,
                format!("{name} is Unicode text, whose keys need Windows' sort tables"),
            ));
        }
        if column.flags.contains(ColumnFlags::MULTI_VALUED) {
            if is_primary {
                return Err(bad(&index.name, format!("{name} is multi-valued")));
            }
            flags |= IndexFlags::MULTI_VALUED;
        }
        segments.push(IndexSegment { fid: column.fid, descending: *descending, template: false });
    }
    let conditions = index.conditions.iter().map(|(name, must_be_null)| {
        Ok(Condition { fid: find(name)?.fid, must_be_null: *must_be_null, template: false })
    });
    Ok((flags, segments, conditions.collect::<EseResult<_>>()?))
}
