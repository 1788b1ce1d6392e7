//! Readers of bytes that come from elsewhere, for the fuzz targets: nobody else calls them.

pub use crate::elastic::outside::{answers, bulk};
pub use crate::embedded::outside::{Log, framed, log};
