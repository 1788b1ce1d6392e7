//! What the HTTP commands ask of the rest of the program.

use std::future::Future;
use std::sync::Arc;

use bstr::BString;
use capabilities::Capabilities;
use login::{CustomArgs, Decision, Login};
use policy::component::Reloaded;
use policy::{Chain, CustomReply, Endpoint, Explanation, Failure, FailureKind, ResetRequest};
use schedule::{JobStatus, Refusal};

/// The request's way behind the HTTP server: [`Chain`], or something small in its place in tests.
///
/// Everything is generic over it, so a call through it costs nothing. A daemon whose table of commands never leads to
/// one of these functions leaves that as it is.
pub trait Backend: Send + Sync + 'static {
    /// A login that happened. Not canonical yet; the time is set there.
    fn report(&self, login: Login) -> impl Future<Output = Result<(), Failure>> + Send {
        drop(login);
        std::future::ready(Err(not_served()))
    }

    /// Whether a login may go on. Not canonical yet; the time is set there.
    fn allow(&self, login: Login) -> impl Future<Output = Result<Decision, Failure>> + Send {
        drop(login);
        std::future::ready(Err(not_served()))
    }

    /// As `allow`, told why if this backend can.
    fn explain(
        &self,
        login: Login,
    ) -> impl Future<Output = (Result<Decision, Failure>, Option<Explanation>)> + Send {
        async { (self.allow(login).await, None) }
    }

    /// Forgets what was counted; `false` when the policy's own reset function said so.
    fn reset(&self, request: ResetRequest) -> impl Future<Output = Result<bool, Failure>> + Send {
        drop(request);
        std::future::ready(Err(not_served()))
    }

    /// The login as the policy spells it.
    fn canonicalize(&self, login: BString) -> impl Future<Output = Result<BString, Failure>> + Send {
        std::future::ready(Ok(login))
    }

    /// A custom POST endpoint.
    fn custom(
        &self,
        name: &str,
        args: CustomArgs,
    ) -> impl Future<Output = Result<CustomReply, Failure>> + Send {
        let _ = (name, args);
        std::future::ready(Err(not_served()))
    }

    /// A custom GET endpoint.
    fn custom_get(&self, name: &str) -> impl Future<Output = Result<BString, Failure>> + Send {
        let _ = name;
        std::future::ready(Err(not_served()))
    }

    /// Loads the files of all WebAssembly policies again, or of the one of this name, and logs what came of it.
    fn reload_policies(&self, name: Option<String>) -> impl Future<Output = Reloaded> + Send {
        let _ = name;
        std::future::ready(Reloaded::new())
    }

    /// The background functions and how they are doing.
    fn jobs(&self) -> Vec<JobStatus> {
        Vec::new()
    }

    /// Starts a background function.
    ///
    /// # Errors
    /// There is none of this name, it runs already, or nothing can be started.
    fn run_background(&self, name: &str) -> Result<(), Refusal> {
        Err(Refusal::Unknown(name.to_owned()))
    }

    /// The custom endpoints; asked at the start, and when the configuration was read again.
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// Lists, stats DBs, metrics, log and access rules.
    fn capabilities(&self) -> &Arc<Capabilities>;
}

fn not_served() -> Failure {
    Failure::new(FailureKind::Internal, "this daemon does not do that")
}

impl Backend for Chain {
    async fn report(&self, login: Login) -> Result<(), Failure> {
        self.report(login).await
    }

    async fn allow(&self, login: Login) -> Result<Decision, Failure> {
        self.allow(login).await
    }

    async fn explain(&self, login: Login) -> (Result<Decision, Failure>, Option<Explanation>) {
        let (result, explanation) = self.explain(login).await;
        (result, Some(explanation))
    }

    async fn reset(&self, request: ResetRequest) -> Result<bool, Failure> {
        self.reset(request).await
    }

    async fn canonicalize(&self, login: BString) -> Result<BString, Failure> {
        self.canonicalize(login).await
    }

    async fn custom(&self, name: &str, args: CustomArgs) -> Result<CustomReply, Failure> {
        self.custom(name, args).await
    }

    async fn custom_get(&self, name: &str) -> Result<BString, Failure> {
        self.custom_get(name).await
    }

    async fn reload_policies(&self, name: Option<String>) -> Reloaded {
        self.reload_policies(name).await
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints()
    }

    fn capabilities(&self) -> &Arc<Capabilities> {
        self.capabilities()
    }
}
