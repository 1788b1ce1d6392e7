//! Interfaces of a function or two: webhooks, metrics, log, settings, clock, random.

use capabilities::Level;
use serde_json::Value;
use wasmtime::Result;

use crate::bindings::types::Error;
use crate::bindings::{clock, log, metrics, random, settings, webhooks};
use crate::options::Kind;
use crate::state::State;

/// Random bytes given at once.
const RANDOM: usize = 65_536;

impl webhooks::Host for State {
    fn run(&mut self, name: String, body: String) -> Result<Result<(), Error>> {
        self.host_call()?;
        Ok(self.granted(Kind::Webhooks, &name).and_then(|()| {
            let known = self.common.capabilities.webhooks.run_custom(name.as_bytes(), body.as_bytes());
            if known { Ok(()) } else { Err(Error::Unknown(name)) }
        }))
    }
}

impl metrics::Host for State {
    fn increment(&mut self, name: String) -> Result<Result<(), Error>> {
        self.host_call()?;
        Ok(self.granted(Kind::Metrics, &name).and_then(|()| {
            let known = self.common.capabilities.custom_stats.increment(name.as_bytes());
            if known { Ok(()) } else { Err(Error::Unknown(name)) }
        }))
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        self.host_call()?;
        let out = self.common.capabilities.log.clone();
        let level = match level {
            log::Level::Debug | log::Level::Verbose if !out.verbose() => return Ok(()),
            log::Level::Debug => Level::Debug,
            log::Level::Verbose | log::Level::Info => Level::Info,
            log::Level::Warning => Level::Warning,
            log::Level::Error => Level::Err,
        };
        if self.log_line() {
            let message = format!("policy {}: {message}", self.common.name);
            out.log_fields(level, message.as_bytes(), &fields);
        }
        Ok(())
    }
}

impl settings::Host for State {
    fn json(&mut self) -> Result<String> {
        self.host_call()?;
        Ok(self.common.settings.clone())
    }

    fn get(&mut self, name: String) -> Result<Option<String>> {
        self.host_call()?;
        Ok(self.common.options.settings.get(&name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Result<f64> {
        self.host_call()?;
        Ok(self.common.capabilities.clock.precise())
    }

    fn monotonic(&mut self) -> Result<f64> {
        self.host_call()?;
        let clock = &self.common.capabilities.clock;
        // A virtual clock does not go back, either.
        Ok(if clock.is_virtual() { clock.precise() } else { self.common.origin.elapsed().as_secs_f64() })
    }
}

impl random::Host for State {
    fn number(&mut self) -> Result<f64> {
        self.host_call()?;
        let bits = getrandom::u64().map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        Ok((bits >> 11) as f64 / (1u64 << 53) as f64)
    }

    fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.host_call()?;
        let mut bytes = vec![0; (count as usize).min(RANDOM)];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        Ok(bytes)
    }
}
