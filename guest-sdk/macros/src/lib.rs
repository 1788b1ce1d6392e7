//! `#[portcullis::policy]`. No dependencies: it only has to find the functions of one impl block.

use std::fmt::Write as _;

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Functions of the trait and the hook each belongs to.
const HOOKS: [(&str, &str); 7] = [
    ("allow", "allow"),
    ("report", "report"),
    ("reset", "reset"),
    ("canonicalize", "canonicalize"),
    ("post", "endpoint"),
    ("get", "endpoint"),
    ("background", "background"),
];

/// Put on `impl Policy for MyPolicy`, it makes a component of the crate: one that exports the hooks written down in the block and
/// no others. What is left out of `type Settings` and `new` is filled in: no settings, and `Default`.
#[proc_macro_attribute]
pub fn policy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(&arguments, item)
        .unwrap_or_else(|reason| format!("compile_error!({reason:?});").parse().unwrap_or_default())
}

fn expand(arguments: &TokenStream, item: TokenStream) -> Result<TokenStream, String> {
    if !arguments.is_empty() {
        return Err("#[portcullis::policy] takes no arguments".to_owned());
    }
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let usage = "#[portcullis::policy] belongs on `impl Policy for MyPolicy { ... }`";
    let body = match tokens.pop() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group.stream(),
        _ => return Err(usage.to_owned()),
    };
    let is =
        |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident.to_string() == word);
    let begin = tokens.iter().position(|token| is(token, "impl")).ok_or(usage)?;
    let split = tokens.iter().rposition(|token| is(token, "for")).ok_or(usage)?;
    if matches!(tokens.get(begin + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == '<') {
        return Err("a policy cannot be generic: the host knows nothing of type parameters".to_owned());
    }
    let policy: TokenStream = tokens[split + 1..].iter().cloned().collect();

    let found = names(&body, "fn");
    let mut hooks: Vec<&str> = vec!["setup"];
    for name in &found {
        match HOOKS.iter().find(|(function, _)| function == name) {
            Some((_, hook)) if !hooks.contains(hook) => hooks.push(hook),
            _ => {}
        }
    }
    let mut filled = String::new();
    if !names(&body, "type").iter().any(|name| name == "Settings") {
        filled.push_str("type Settings = ::portcullis::NoSettings;");
    }
    if !found.iter().any(|name| name == "new") {
        filled.push_str(
            "fn new(_: Self::Settings) -> ::portcullis::Result<Self> \
             { ::core::result::Result::Ok(::core::default::Default::default()) }",
        );
    }
    let mut glue = format!(
        "#[cfg(target_arch = \"wasm32\")] const _: () = {{ \
            struct Hooks; \
            static POLICY: ::portcullis::export::Cell<{policy}> = ::portcullis::export::Cell::new();"
    );
    for hook in hooks {
        // Writing to a string cannot fail.
        let _ = write!(glue, "::portcullis::__hook!({hook} Hooks POLICY);");
    }
    glue.push_str("};");

    // The author's tokens as they are, so that the compiler's messages point into the author's file.
    let parsed = |text: String| text.parse::<TokenStream>().map_err(|error| error.to_string());
    let mut inside = body;
    inside.extend(parsed(filled)?);
    let mut whole: TokenStream = tokens.into_iter().collect();
    whole.extend([TokenTree::Group(Group::new(Delimiter::Brace, inside))]);
    whole.extend(parsed(glue)?);
    Ok(whole)
}

/// The names after a keyword, not looking into functions.
fn names(body: &TokenStream, keyword: &str) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [TokenTree::Ident(first), TokenTree::Ident(second)] if first.to_string() == keyword => {
                Some(second.to_string())
            }
            _ => None,
        })
        .collect()
}
