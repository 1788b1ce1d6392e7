//! Connections of each kind of installation.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates, TlsMode,
};

use crate::target::{Mode, Target};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// A file of certificates cannot be read.
    #[error("cannot read {0}: {1}")]
    File(String, std::io::Error),
    /// The server cannot be reached, or does not want us.
    #[error("{0}")]
    Server(#[from] RedisError),
    /// It takes too long.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// None of a cluster's nodes can be used.
    #[error("no node of the cluster answers")]
    Silent,
}

/// How long connecting and answers may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub connect: Duration,
    pub response: Duration,
}

/// The one server of a target that is no cluster, in `limits.connect` for each host.
pub(crate) async fn single(target: &Target, limits: Limits) -> Result<MultiplexedConnection, LinkError> {
    let open = async {
        match &target.mode {
            Mode::Sentinel(service) => master(target, service, limits).await,
            Mode::Single | Mode::Cluster => first(target, limits).await,
        }
    };
    // One after the other.
    let whole = limits.connect * u32::try_from(target.hosts.len()).unwrap_or(1).max(1);
    tokio::time::timeout(whole, open).await.map_err(|_| LinkError::Timeout(whole))?
}

/// The first host that answers.
pub(crate) async fn first(target: &Target, limits: Limits) -> Result<MultiplexedConnection, LinkError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limits.connect))
        .set_response_timeout(Some(limits.response));
    let mut last = None;
    for info in infos(target) {
        let client = if target.tls {
            Client::build_with_tls(info, certificates(target)?)?
        } else {
            Client::open(info)?
        };
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    let none = || RedisError::from((redis::ErrorKind::InvalidClientConfig, "no host"));
    Err(last.unwrap_or_else(none).into())
}

/// The master that the sentinels name.
async fn master(target: &Target, service: &str, limits: Limits) -> Result<MultiplexedConnection, LinkError> {
    let addresses = target.hosts.iter().map(|(host, port)| address(target, host, *port));
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?;
    if target.tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(certificates(target)?)
            .set_client_to_sentinel_certificates(certificates(target)?);
    }
    if !target.username.is_empty() {
        builder = builder.set_client_to_redis_username(&target.username);
    }
    if !target.password.is_empty() {
        builder = builder.set_client_to_redis_password(&target.password);
    }
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limits.connect))
        .set_response_timeout(Some(limits.response));
    let mut client = builder.set_client_to_redis_db(target.db).build()?;
    Ok(client.get_async_connection_with_config(&config).await?)
}

fn address(target: &Target, host: &str, port: u16) -> ConnectionAddr {
    if target.tls {
        ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.to_owned(), port)
    }
}

fn infos(target: &Target) -> Vec<ConnectionInfo> {
    let mut settings = RedisConnectionInfo::default().set_db(target.db);
    if !target.username.is_empty() {
        settings = settings.set_username(&target.username);
    }
    if !target.password.is_empty() {
        settings = settings.set_password(&target.password);
    }
    let hosts = target.hosts.iter();
    hosts
        .filter_map(|(host, port)| address(target, host, *port).into_connection_info().ok())
        .map(|info| info.set_redis_settings(settings.clone()))
        .collect()
}

fn certificates(target: &Target) -> Result<TlsCertificates, LinkError> {
    let read = |path: &std::path::Path| {
        files::read(path, files::PEM).map_err(|error| LinkError::File(path.display().to_string(), error))
    };
    let root_cert = target.authorities.as_deref().map(read).transpose()?;
    let client_tls = match &target.client {
        None => None,
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
    };
    Ok(TlsCertificates { client_tls, root_cert })
}
