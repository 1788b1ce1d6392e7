//! The long memory. A daemon without a report store says so.

use wasmtime::Result;

use crate::bindings::reports::{Field, Filter, Host, Measure, Outlier, Ranked, Report, Slot, Span};
use crate::bindings::types::Error;
use crate::options::Kind;
use crate::state::State;

impl State {
    fn no_store<T>(&mut self) -> Result<Result<T, Error>> {
        self.host_call()?;
        Ok(self
            .granted(Kind::Reports, "reports")
            .and(Err(Error::Unavailable("this daemon has no report store".to_owned()))))
    }
}

impl Host for State {
    fn find(&mut self, _: Filter, _: u32) -> Result<Result<Vec<Report>, Error>> {
        self.no_store()
    }

    fn seen(&mut self, _: String, _: Field, _: String, _: f64) -> Result<Result<bool, Error>> {
        self.no_store()
    }

    fn first_and_last(&mut self, _: Filter) -> Result<Result<Option<Span>, Error>> {
        self.no_store()
    }

    fn count(&mut self, _: Filter) -> Result<Result<f64, Error>> {
        self.no_store()
    }

    fn distinct(&mut self, _: Filter, _: Field) -> Result<Result<f64, Error>> {
        self.no_store()
    }

    fn top(&mut self, _: Filter, _: Field, _: Measure, _: u32) -> Result<Result<Vec<Ranked>, Error>> {
        self.no_store()
    }

    fn significant(&mut self, _: Filter, _: Field, _: f64, _: u32) -> Result<Result<Vec<Outlier>, Error>> {
        self.no_store()
    }

    fn histogram(&mut self, _: Filter, _: u32) -> Result<Result<Vec<Slot>, Error>> {
        self.no_store()
    }

    fn search(&mut self, _: String, _: String) -> Result<Result<String, Error>> {
        self.no_store()
    }
}
