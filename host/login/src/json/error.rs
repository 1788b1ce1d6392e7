//! What can be wrong with a JSON text.

use std::fmt;

use bstr::BString;

/// Why a text is no JSON. The messages are those wforce clients know (`expected value, got 'x' (120)`).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// The body is the literal `null`, which counts as unusable without a reason given.
    #[error("")]
    Null,
    /// The text ends where more must come.
    #[error("unexpected end of input")]
    UnexpectedEnd,
    /// The text ends inside a string.
    #[error("unexpected end of input in string")]
    EndInString,
    /// No value begins with this byte.
    #[error("expected value, got {}", Byte(*.0))]
    ExpectedValue(u8),
    /// Something follows the value.
    #[error("unexpected trailing {}", Byte(*.0))]
    Trailing(u8),
    /// A word beginning like `true`, `false` or `null` is another one.
    #[error("parse error: expected {expected}, got {got}")]
    ExpectedWord {
        /// The word meant.
        expected: &'static str,
        /// As many bytes as there are, at most its length.
        got: BString,
    },
    /// A member does not begin with a quoted key.
    #[error("expected '\"' in object, got {}", Byte(*.0))]
    ExpectedKey(u8),
    /// A key is not followed by a colon.
    #[error("expected ':' in object, got {}", Byte(*.0))]
    ExpectedColon(u8),
    /// A member is followed by neither a comma nor the end of the object.
    #[error("expected ',' in object, got {}", Byte(*.0))]
    ExpectedMemberEnd(u8),
    /// An item is followed by neither a comma nor the end of the list.
    #[error("expected ',' in list, got {}", Byte(*.0))]
    ExpectedItemEnd(u8),
    /// A control byte stands in a string as it is.
    #[error("unescaped {} in string", Byte(*.0))]
    ControlInString(u8),
    /// A backslash is followed by a byte that makes no escape.
    #[error("invalid escape character {}", Byte(*.0))]
    BadEscape(u8),
    /// `\u` is not followed by four hexadecimal digits.
    #[error("bad \\u escape: {0}")]
    BadUnicodeEscape(BString),
    /// A number like `007`.
    #[error("leading 0s not permitted in numbers")]
    LeadingZero,
    /// A minus sign is followed by something else than a digit; 0 stands for the end of the text.
    #[error("invalid {} in number", Byte(*.0))]
    BadNumber(u8),
    /// A number like `1.`.
    #[error("at least one digit required in fractional part")]
    EmptyFraction,
    /// A number like `1e`.
    #[error("at least one digit required in exponent")]
    EmptyExponent,
    /// Lists and objects are nested deeper than 200 levels.
    #[error("exceeded maximum nesting depth")]
    TooDeep,
}

/// A byte as `'x' (120)`, or only its number if it is not printable. Numbers are those of a signed char, as wforce
/// prints them.
struct Byte(u8);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Byte(byte) = *self;
        if (0x20..=0x7f).contains(&byte) {
            write!(f, "'{}' ({byte})", char::from(byte))
        } else {
            write!(f, "({})", byte as i8)
        }
    }
}
