//! What the servers are, and what they must know before the first report: how long indexes live, how fields are mapped.

use outbound::Method;
use serde_json::{Value, json};

use super::Inner;
use super::hosts::Body;
use crate::StoreError;

/// Oldest Elasticsearch with composable index templates.
const OLDEST: (u32, u32) = (7, 8);

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Elasticsearch,
    OpenSearch,
}

/// Which servers these are.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) product: Product,
    pub(super) version: String,
}

impl Server {
    /// Reads the answer to `GET /`.
    pub(super) fn read(body: &Value) -> Result<Self, StoreError> {
        let version = body["version"]["number"].as_str().unwrap_or_default().to_owned();
        let product = match body["version"]["distribution"].as_str() {
            Some("opensearch") => Product::OpenSearch,
            _ => Product::Elasticsearch,
        };
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
        let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) else {
            let text = "what answers there is neither Elasticsearch nor OpenSearch".to_owned();
            return Err(StoreError::Unavailable(text));
        };
        if product == Product::Elasticsearch && (major, minor) < OLDEST {
            let (major, minor) = OLDEST;
            let text = format!("Elasticsearch {version} is older than {major}.{minor}, which this needs");
            return Err(StoreError::Unavailable(text));
        }
        Ok(Self { product, version })
    }

    pub(super) fn name(&self) -> String {
        let product = match self.product {
            Product::Elasticsearch => "Elasticsearch",
            Product::OpenSearch => "OpenSearch",
        };
        format!("{product} {}", self.version)
    }
}

/// Who drops old indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// The servers, by a policy.
    Policy,
    /// This side, as the servers have no policies.
    Ours,
}

impl Inner {
    /// Installs lifecycle policy and template.
    pub(super) async fn install(&self, server: &Server) -> Result<Lifecycle, StoreError> {
        if !self.settings.manage {
            return Ok(Lifecycle::Policy);
        }
        let lifecycle = match server.product {
            Product::Elasticsearch => self.lifecycle_elastic().await?,
            Product::OpenSearch => self.lifecycle_open().await?,
        };
        let policy = lifecycle == Lifecycle::Policy && server.product == Product::Elasticsearch;
        let name = &self.settings.index;
        let body = template(&self.settings, policy);
        let reply = self
            .hosts
            .send(Method::PUT, &format!("/_index_template/{name}"), (&body).into(), self.settings.timeout)
            .await?;
        if !reply.good() {
            return Err(refused("the index template", &reply.reason()));
        }
        Ok(lifecycle)
    }

    /// Index lifecycle management. Versions without it (the pure Apache ones) answer with an error of the client's.
    async fn lifecycle_elastic(&self) -> Result<Lifecycle, StoreError> {
        let path = format!("/_ilm/policy/{}", self.settings.index);
        let age = format!("{}d", self.settings.keep_days);
        let body = json!({"policy": {"phases": {
            "hot": {"actions": {}},
            "delete": {"min_age": age, "actions": {"delete": {}}},
        }}});
        let reply = self.hosts.send(Method::PUT, &path, (&body).into(), self.settings.timeout).await?;
        match reply.status {
            200..=299 => Ok(Lifecycle::Policy),
            400 | 404 | 405 => Ok(Lifecycle::Ours),
            _ => Err(refused("the lifecycle policy", &reply.reason())),
        }
    }

    /// OpenSearch's index state management. A policy that is there already is replaced, if it differs.
    async fn lifecycle_open(&self) -> Result<Lifecycle, StoreError> {
        let path = format!("/_plugins/_ism/policies/{}", self.settings.index);
        let policy = json!({
            "description": "Reports of logins: kept for a while, then dropped",
            "default_state": "kept",
            "states": [
                {"name": "kept", "actions": [], "transitions": [{"state_name": "dropped",
                    "conditions": {"min_index_age": format!("{}d", self.settings.keep_days)}}]},
                {"name": "dropped", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [format!("{}-*", self.settings.index)], "priority": 200}],
        });
        let body = json!({"policy": policy});
        let reply = self.hosts.send(Method::PUT, &path, (&body).into(), self.settings.timeout).await?;
        match reply.status {
            200..=299 => return Ok(Lifecycle::Policy),
            400 | 404 | 405 => return Ok(Lifecycle::Ours),
            409 => {}
            _ => return Err(refused("the lifecycle policy", &reply.reason())),
        }
        let there = self.hosts.send(Method::GET, &path, Body::None, self.settings.timeout).await?;
        let (number, term) = (there.body["_seq_no"].as_u64(), there.body["_primary_term"].as_u64());
        let (Some(number), Some(term)) = (number, term) else {
            return Err(refused("the lifecycle policy", &there.reason()));
        };
        if there.body["policy"]["states"][0]["transitions"] == policy["states"][0]["transitions"] {
            return Ok(Lifecycle::Policy);
        }
        let path = format!("{path}?if_seq_no={number}&if_primary_term={term}");
        let reply = self.hosts.send(Method::PUT, &path, (&body).into(), self.settings.timeout).await?;
        // 409: another daemon was faster, with the same policy.
        if reply.good() || reply.status == 409 {
            Ok(Lifecycle::Policy)
        } else {
            Err(refused("the lifecycle policy", &reply.reason()))
        }
    }

    /// Drops daily indexes that are too old, where no policy does. Only names that this side gives are touched.
    pub(super) async fn expire(&self, now: i64) -> Result<usize, StoreError> {
        let path = format!("/_cat/indices/{}-*?format=json&h=index", self.settings.index);
        let reply = self.hosts.send(Method::GET, &path, Body::None, self.settings.timeout).await?;
        if !reply.good() {
            return Err(refused("the list of indexes", &reply.reason()));
        }
        let oldest =
            super::day_name(&self.settings.index, now - i64::from(self.settings.keep_days) * super::DAY);
        let mut dropped = 0;
        let listed = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
        for name in listed.iter().filter_map(|row| row["index"].as_str()) {
            let ours = name.strip_prefix(&self.settings.index).is_some_and(is_date);
            // Names of equal length: the order of texts is that of dates.
            if ours && name <= oldest.as_str() {
                let reply = self
                    .hosts
                    .send(Method::DELETE, &format!("/{name}"), Body::None, self.settings.timeout)
                    .await?;
                if !reply.good() && reply.status != 404 {
                    return Err(refused(&format!("the removal of {name}"), &reply.reason()));
                }
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// `-2026.11.25`.
fn is_date(text: &str) -> bool {
    text.len() == 11
        && text.bytes().enumerate().all(|(at, byte)| match at {
            0 => byte == b'-',
            5 | 8 => byte == b'.',
            _ => byte.is_ascii_digit(),
        })
}

fn refused(what: &str, reason: &str) -> StoreError {
    StoreError::Unavailable(format!("{what} was refused: {reason}"))
}

/// The template of daily indexes. `policy`: whether Elasticsearch's lifecycle policy is there.
pub(super) fn template(settings: &super::ElasticSettings, policy: bool) -> Value {
    let word = || json!({"type": "keyword"});
    let geoip = json!({"properties": {
        "ip": {"type": "ip"},
        "country_code2": word(),
        "country_name": word(),
        "region_code": word(),
        "city_name": word(),
        "postal_code": word(),
        "latitude": {"type": "float"},
        "longitude": {"type": "float"},
        "location": {"type": "geo_point"},
        "asn": {"type": "long"},
        "as_org": word(),
    }});
    let mut properties = json!({
        "@timestamp": {"type": "date"},
        "t": {"type": "double"},
        "remote": {"type": "ip"},
        "success": {"type": "boolean"},
        "policy_reject": {"type": "boolean"},
        "tls": {"type": "boolean"},
        "geoip": geoip,
        "attrs": {"type": "object", "dynamic": true},
        "device_attrs": {"type": "object", "dynamic": true},
    });
    for name in [
        "type",
        "id",
        "login",
        "pwhash",
        "protocol",
        "device_id",
        "session_id",
        "fail_type",
        "network",
        "device",
        "user_confirmation",
    ] {
        properties[name] = word();
    }
    let mut index = json!({"number_of_shards": settings.shards, "refresh_interval": "1s"});
    if let Some(replicas) = settings.replicas {
        index["number_of_replicas"] = replicas.into();
    }
    if policy {
        index["lifecycle"] = json!({"name": settings.index});
    }
    json!({
        "index_patterns": [format!("{}-*", settings.index)],
        "priority": 200,
        "template": {
            "settings": {"index": index},
            "mappings": {
                "dynamic_templates": [
                    {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8191}}},
                ],
                "properties": properties,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn servers_are_told_apart() {
        // From the documentation of both products.
        let elastic = json!({"name": "instance-0000000000", "cluster_name": "my_test_cluster", "version": {"number": "8.15.3",
            "build_flavor": "default", "lucene_version": "9.11.1"}, "tagline": "You Know, for Search"});
        let open = json!({"name": "opensearch-node1", "version": {"distribution": "opensearch", "number": "2.19.0"},
            "tagline": "The OpenSearch Project: https://opensearch.org/"});
        assert_eq!(Server::read(&elastic).unwrap().name(), "Elasticsearch 8.15.3");
        assert_eq!(Server::read(&open).unwrap().product, Product::OpenSearch);
        assert!(
            Server::read(&json!({"version": {"number": "6.8.23"}})).unwrap_err().to_string().contains("7.8")
        );
        assert!(Server::read(&json!({"hello": "world"})).is_err());
    }

    #[test]
    fn only_our_own_names_are_dates() {
        assert!(is_date("-2026.11.25"));
        for other in ["", "-2026.11.2", "_2026.11.25", "-2026-11-25", "-archive-26", "-2026.11.25x"] {
            assert!(!is_date(other), "{other}");
        }
    }
}
