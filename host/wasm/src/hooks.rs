//! The exported hooks, typed, and the calls of them.
#![allow(unsafe_code)]

use bstr::BString;
use login::{Attrs, CustomArgs, Decision, attrs};
use policy::{Call, CustomReply, Hook, Reply};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, Func, Instance, Lift, Lower, TypedFunc,
};
use wasmtime::{AsContextMut, Result, Store};

use crate::bindings::types::IpAddress;
use crate::convert;
use crate::error::LoadError;
use crate::lower::{Login, Nothing, Text};
use crate::state::{State, text};

#[derive(ComponentType, Lift)]
#[component(record)]
struct Decided {
    status: i32,
    msg: String,
    log: String,
    attrs: Vec<(String, String)>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum Verdict {
    #[component(name = "pass")]
    Pass,
    #[component(name = "decided")]
    Decided(Decided),
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct Forget<'a> {
    ip: Option<IpAddress>,
    login: Option<&'a str>,
    ja3: Option<&'a str>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Answer {
    success: bool,
    attrs: Vec<(String, String)>,
}

type Told<T> = (std::result::Result<T, String>,);
type Pairs<'a> = &'a [(&'a str, &'a str)];
type PairLists<'a> = &'a [(&'a str, &'a [&'a str])];

/// Where the hooks are among a component's exports.
#[derive(Clone, Default)]
pub(crate) struct Exports {
    hooks: [Option<ComponentExportIndex>; 6],
    get: Option<ComponentExportIndex>,
    check: Option<ComponentExportIndex>,
}

impl Exports {
    /// Looks for them.
    pub(crate) fn find(component: &Component) -> Exports {
        let function = |interface: &str, function: &str| {
            let name = format!("portcullis:policy/{interface}@{}", crate::VERSION);
            let instance = component.get_export_index(None, name.as_str())?;
            component.get_export_index(Some(&instance), function)
        };
        let hooks = Hook::ALL.map(|hook| match hook {
            Hook::Endpoint => function("endpoint", "post"),
            Hook::Background => function("background", "run"),
            hook => function(hook.name(), hook.name()),
        });
        Exports { hooks, get: function("endpoint", "get"), check: function("setup", "check") }
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.hooks[hook as usize].is_some()
    }

    pub(crate) fn any(&self) -> bool {
        self.hooks.iter().any(Option::is_some)
    }
}

/// The hooks of an instance.
#[derive(Clone, Copy, Default)]
pub(crate) struct Functions {
    hooks: [Option<Func>; 6],
    get: Option<Func>,
    check: Option<Func>,
}

impl Functions {
    pub(crate) fn of(exports: &Exports, instance: &Instance, store: &mut Store<State>) -> Functions {
        let mut function = |index: &Option<ComponentExportIndex>| {
            index.as_ref().and_then(|index| instance.get_func(store.as_context_mut(), index))
        };
        let mut functions = Functions::default();
        for (func, index) in functions.hooks.iter_mut().zip(&exports.hooks) {
            *func = function(index);
        }
        functions.get = function(&exports.get);
        functions.check = function(&exports.check);
        functions
    }

    /// Compares every hook's signature with the contract: what the calls below rely on.
    pub(crate) fn typecheck(&self, store: &Store<State>) -> std::result::Result<(), LoadError> {
        fn fits<P, R>(
            hook: &'static str,
            func: Option<Func>,
            store: &Store<State>,
        ) -> std::result::Result<(), LoadError>
        where
            P: wasmtime::component::ComponentNamedList + Lower,
            R: wasmtime::component::ComponentNamedList + Lift,
        {
            let Some(func) = func else { return Ok(()) };
            func.typed::<P, R>(store)
                .map(drop)
                .map_err(|error| LoadError::Signature { hook, reason: format!("{error:#}") })
        }
        let hook = |hook: Hook| self.hooks[hook as usize];
        fits::<(Login<'static>,), Told<Verdict>>("allow", hook(Hook::Allow), store)?;
        fits::<(Login<'static>,), Told<()>>("report", hook(Hook::Report), store)?;
        fits::<(Forget<'static>,), Told<bool>>("reset", hook(Hook::Reset), store)?;
        fits::<(&'static str,), Told<String>>("canonicalize", hook(Hook::Canonicalize), store)?;
        fits::<(&'static str, Pairs<'static>, PairLists<'static>), Told<Answer>>(
            "endpoint.post",
            hook(Hook::Endpoint),
            store,
        )?;
        fits::<(&'static str,), Told<()>>("background", hook(Hook::Background), store)?;
        fits::<(&'static str,), Told<String>>("endpoint.get", self.get, store)?;
        fits::<(), Told<()>>("setup.check", self.check, store)
    }

    /// Calls the hook that a call is for. The inner error is the hook's own. `nothing`: the instance's.
    pub(crate) async fn call(
        &self,
        store: &mut Store<State>,
        nothing: &Nothing,
        call: &Call,
        waits: bool,
    ) -> Result<std::result::Result<Reply, String>> {
        let hook = Hook::of(call).and_then(|hook| self.hooks[hook as usize]);
        let (Some(hook), mut caller) = (hook, Caller { store, waits }) else {
            return Ok(Err(format!("it has no hook for {}", &*call.function())));
        };
        match call {
            Call::Allow(login) | Call::Shadow(login) => {
                let texts = Texts::of(login);
                // SAFETY: the signature was compared when the component was loaded (`typecheck`).
                let (verdict,): Told<Verdict> =
                    unsafe { caller.call(hook, (texts.lend(login, nothing),)).await? };
                Ok(verdict.map(|verdict| match verdict {
                    Verdict::Pass => Reply::Pass,
                    Verdict::Decided(decided) => Reply::Decision(decision(decided)),
                }))
            }
            Call::Report(login) => {
                let texts = Texts::of(login);
                // SAFETY: as above.
                let (done,): Told<()> = unsafe { caller.call(hook, (texts.lend(login, nothing),)).await? };
                Ok(done.map(|()| Reply::Done))
            }
            Call::Reset { kind, name, ip } => {
                let name = text(name);
                let is = |part: &str| kind.split(':').any(|kind| kind == part);
                let forget = Forget {
                    ip: is("ip").then(|| convert::address(ip.ip)),
                    login: is("login").then_some(&*name),
                    ja3: is("ja3").then_some(&*name),
                };
                // SAFETY: as above.
                let (done,): Told<bool> = unsafe { caller.call(hook, (forget,)).await? };
                Ok(done.map(Reply::Flag))
            }
            Call::Canonicalize(login) => {
                let login = text(login);
                // SAFETY: as above.
                let (login,): Told<String> = unsafe { caller.call(hook, (&*login,)).await? };
                Ok(login.map(|login| Reply::Text(login.into())))
            }
            Call::Custom(name, args) => Ok(post(&mut caller, hook, name, args).await?.map(Reply::Custom)),
            Call::CustomGet(name) => {
                let Some(get) = self.get else { return Ok(Err("it has no hook for GET".to_owned())) };
                // SAFETY: as above.
                let (answer,): Told<String> = unsafe { caller.call(get, (&**name,)).await? };
                Ok(answer.map(|answer| Reply::Text(answer.into())))
            }
            Call::Background { name, .. } => {
                // SAFETY: as above.
                let (done,): Told<()> = unsafe { caller.call(hook, (&**name,)).await? };
                Ok(done.map(|()| Reply::Done))
            }
            Call::Console(_) => Ok(Ok(Reply::Pass)),
        }
    }

    /// Calls `setup.check`, if there is one.
    pub(crate) async fn check(
        &self,
        store: &mut Store<State>,
        waits: bool,
    ) -> Result<std::result::Result<(), String>> {
        let Some(check) = self.check else { return Ok(Ok(())) };
        // SAFETY: as above.
        let (checked,): Told<()> = unsafe { Caller { store, waits }.call(check, ()).await? };
        Ok(checked)
    }
}

/// How a function of this store is called.
struct Caller<'a> {
    store: &'a mut Store<State>,
    /// It may wait for something outside, so it runs on a stack of its own, which costs something.
    waits: bool,
}

impl Caller<'_> {
    /// # Safety
    /// The function must have this signature.
    async unsafe fn call<P, R>(&mut self, func: Func, params: P) -> Result<R>
    where
        P: wasmtime::component::ComponentNamedList + Lower + Send + Sync,
        R: wasmtime::component::ComponentNamedList + Lift + Send + Sync + 'static,
    {
        // SAFETY: the caller's promise.
        let func = unsafe { TypedFunc::<P, R>::new_unchecked(func) };
        if self.waits {
            // Boxed, here and in `instance`: else calls that do not wait would move its room about, too.
            Box::pin(func.call_async(self.store.as_context_mut(), params)).await
        } else {
            func.call(self.store.as_context_mut(), params)
        }
    }
}

async fn post(
    caller: &mut Caller<'_>,
    hook: Func,
    name: &str,
    args: &CustomArgs,
) -> Result<std::result::Result<CustomReply, String>> {
    let single: Vec<_> = args.attrs.iter().map(|(key, value)| (text(key), text(value))).collect();
    let several: Vec<_> = args
        .attrs_mv
        .iter()
        .map(|(key, values)| (text(key), values.iter().map(|value| text(value)).collect::<Vec<_>>()))
        .collect();
    let single: Vec<(&str, &str)> = single.iter().map(|(key, value)| (&**key, &**value)).collect();
    let lent: Vec<(&str, Vec<&str>)> =
        several.iter().map(|(key, values)| (&**key, values.iter().map(|value| &**value).collect())).collect();
    let several: Vec<(&str, &[&str])> = lent.iter().map(|(key, values)| (*key, values.as_slice())).collect();
    // SAFETY: as above.
    let (answer,): Told<Answer> = unsafe { caller.call(hook, (name, &*single, &*several)).await? };
    Ok(answer.map(|answer| CustomReply { success: answer.success, attrs: pairs(answer.attrs) }))
}

/// The texts of a login as UTF-8; copied only where they are not.
struct Texts<'a> {
    login: std::borrow::Cow<'a, str>,
    pwhash: std::borrow::Cow<'a, str>,
    device_id: std::borrow::Cow<'a, str>,
    protocol: std::borrow::Cow<'a, str>,
    session_id: std::borrow::Cow<'a, str>,
    fail_type: std::borrow::Cow<'a, str>,
}

impl<'a> Texts<'a> {
    fn of(login: &'a login::Login) -> Texts<'a> {
        Texts {
            login: text(&login.login),
            pwhash: text(&login.pwhash),
            device_id: text(&login.device_id),
            protocol: text(&login.protocol),
            session_id: text(&login.session_id),
            fail_type: text(&login.fail_type),
        }
    }

    fn lend<'b>(&'b self, login: &login::Login, nothing: &'b Nothing) -> Login<'b> {
        let lend = |text| Text { text, nothing };
        Login {
            t: login.t,
            remote: convert::address(login.remote.ip),
            login: lend(&self.login),
            pwhash: lend(&self.pwhash),
            device_id: lend(&self.device_id),
            protocol: lend(&self.protocol),
            session_id: lend(&self.session_id),
            fail_type: lend(&self.fail_type),
            success: login.success,
            policy_reject: login.policy_reject,
            tls: login.tls,
        }
    }
}

fn pairs(list: Vec<(String, String)>) -> Attrs {
    let mut list: Vec<(BString, BString)> =
        list.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    attrs::sort(&mut list);
    list
}

fn decision(decided: Decided) -> Decision {
    let Decided { status, msg, log, attrs } = decided;
    Decision { status, msg: msg.into(), log: log.into(), attrs: pairs(attrs) }
}
