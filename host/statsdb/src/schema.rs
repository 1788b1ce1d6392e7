//! What a database is made of: windows, fields, shards, and the limits of each.

use bstr::BString;

/// Most windows a database may have: a field counts its windows in 16 bits, and may hold as many from the future
/// (after the clock went back) as regular ones.
pub const MAX_WINDOWS: u32 = 32_767;
/// Most fields a database may have.
pub const MAX_FIELDS: usize = 32_767;
/// Most shards a database may have; each one costs a lock and its first tables.
pub const MAX_SHARDS: u32 = 65_536;
/// Keys a database holds unless told otherwise (wforce compatibility).
pub const DEFAULT_MAX_SIZE: u32 = 524_288;

/// Bytes a database holds for each key it may hold, on average, unless told otherwise: a few times what a key with a full
/// ring of counts takes, so that it is met only by keys that somebody made large.
pub const DEFAULT_KEY_BYTES: u64 = 4096;
/// Bytes a database holds in any case unless told otherwise: few keys may well be large ones.
pub const DEFAULT_MIN_BYTES: u64 = 16 << 20;
/// Longest key; of longer ones this much counts.
pub const MAX_KEY: usize = 4096;

/// Most rows of a sketch: the natural logarithm of the largest 32-bit float, rounded up.
const MAX_DEPTH: usize = 89;

/// How a field counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// A wrapping 32-bit sum.
    Int,
    /// A count of distinct values.
    Hll,
    /// A count per value (Count-Min sketch).
    CountMin,
}

impl FieldKind {
    /// The name used in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Hll => "hll",
            Self::CountMin => "countmin",
        }
    }
}

/// The text names no field type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("field types are int, hll and countmin")]
pub struct UnknownKind;

impl std::str::FromStr for FieldKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        match text {
            "int" => Ok(Self::Int),
            "hll" => Ok(Self::Hll),
            "countmin" => Ok(Self::CountMin),
            _ => Err(UnknownKind),
        }
    }
}

/// The shape of a Count-Min sketch, from its error bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CountMinShape {
    /// Error as a part of all counts; the width is ⌈e / eps⌉. In \[0.009, 1).
    pub eps: f32,
    /// Chance of a larger error; the depth is ⌈ln(1 / gamma)⌉. In (0, 1).
    pub gamma: f32,
}

impl Default for CountMinShape {
    /// wforce's defaults: 55 columns by 2 rows.
    fn default() -> Self {
        Self { eps: 0.05, gamma: 0.2 }
    }
}

/// A Count-Min shape no sketch can have.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum ShapeError {
    /// eps outside \[0.009, 1).
    #[error("count-min eps must be at least 0.009 and below 1, not {0}")]
    Eps(f32),
    /// gamma outside (0, 1).
    #[error("count-min gamma must lie between 0 and 1, not {0}")]
    Gamma(f32),
}

impl CountMinShape {
    /// A shape.
    ///
    /// # Errors
    /// If a bound is outside of its range.
    pub fn new(eps: f32, gamma: f32) -> Result<Self, ShapeError> {
        if !(0.009..1.0).contains(&eps) {
            return Err(ShapeError::Eps(eps));
        }
        let shape = Self { eps, gamma };
        // Of the smallest floats the reciprocal is not finite, nor would be the number of rows.
        if !(gamma > 0.0 && gamma < 1.0 && shape.depth() <= MAX_DEPTH) {
            return Err(ShapeError::Gamma(gamma));
        }
        Ok(shape)
    }

    /// `setCountMinBits(gamma, eps)`: in this order, gamma clamped to \[0, 1\] and eps to \[0.01, 1\]
    /// (wforce compatibility).
    ///
    /// # Errors
    /// If a bound is outside of its range even so: gamma 0 or 1, eps 1.
    pub fn clamped(gamma: f32, eps: f32) -> Result<Self, ShapeError> {
        Self::new(eps.clamp(0.01, 1.0), gamma.clamp(0.0, 1.0))
    }

    /// Columns of a row.
    pub fn width(self) -> usize {
        (std::f64::consts::E / f64::from(self.eps)).ceil() as usize
    }

    /// Rows.
    pub fn depth(self) -> usize {
        (1.0f32 / self.gamma).ln().ceil() as usize
    }
}

/// `setHLLBits(n)`: register bits, clamped to \[4, 30\].
pub fn clamp_hll_bits(bits: i64) -> u8 {
    bits.clamp(4, 30) as u8
}

/// Everything that is fixed when a database is created.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The database's name.
    pub name: BString,
    /// Seconds in a window; 0 works as 1.
    pub window_secs: u32,
    /// Number of windows; 0 works as 1.
    pub windows: u32,
    /// Field names and kinds, in any order; of a repeated name the last one counts.
    pub fields: Vec<(BString, FieldKind)>,
    /// User-visible shards, at least 1.
    pub shards: u32,
    /// Unix second in which window 0 begins: the creation of the database.
    pub start: u64,
    /// Register bits of distinct counts on the wire, 4 to 30; 6 unless `setHLLBits` said otherwise.
    pub hll_bits: u8,
    /// Shape of the Count-Min sketches.
    pub countmin: CountMinShape,
}

/// A schema no database can have.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SchemaError {
    /// No shard at all, or too many.
    #[error("a stats DB has 1 to {MAX_SHARDS} shards, not {0}")]
    Shards(u32),
    /// More windows than can be counted.
    #[error("a stats DB has at most {MAX_WINDOWS} windows, not {0}")]
    Windows(u32),
    /// More fields than can be counted.
    #[error("a stats DB has at most {MAX_FIELDS} fields, not {0}")]
    Fields(usize),
    /// Impossible Count-Min shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl Schema {
    /// Whether a database that was created with `other` counts what this one describes: windows, fields and the shapes of
    /// estimates are the same. Names and shards, which no count depends on, are not compared.
    pub fn counts_like(&self, other: &Schema) -> bool {
        let sorted = |schema: &Schema| schema.clone().normalised().ok().map(|schema| schema.fields);
        let shape = |schema: &Schema| {
            (schema.window_secs.max(1), schema.windows.max(1), schema.hll_bits, schema.countmin)
        };
        shape(self) == shape(other) && sorted(self) == sorted(other)
    }

    /// Checks the limits and puts the fields in order (sorted by name, each once).
    pub(crate) fn normalised(mut self) -> Result<Self, SchemaError> {
        if self.shards == 0 || self.shards > MAX_SHARDS {
            return Err(SchemaError::Shards(self.shards));
        }
        if self.windows > MAX_WINDOWS {
            return Err(SchemaError::Windows(self.windows));
        }
        CountMinShape::new(self.countmin.eps, self.countmin.gamma)?;
        self.hll_bits = clamp_hll_bits(i64::from(self.hll_bits));
        let mut fields = std::mem::take(&mut self.fields);
        fields.reverse();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        if fields.len() > MAX_FIELDS {
            return Err(SchemaError::Fields(fields.len()));
        }
        self.fields = fields;
        Ok(self)
    }
}

/// An int field was given text that does not begin with a 32-bit integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stoi")]
pub struct NotANumber;
