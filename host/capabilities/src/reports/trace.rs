//! Questions in the trace of a policy call.

use ::reports::{Answer, Query};

use super::ReportsError;
use crate::context::{Context, Step};

/// Bytes of a question or an answer in a trace.
const TRACED: usize = 300;

/// Notes a question in the trace of a policy call.
pub fn note(context: &Context, query: &Query, answer: Result<&Answer, &ReportsError>) {
    context.note(|| {
        let json = serde_json::to_string(query).unwrap_or_default();
        let answer = match answer {
            Ok(answer) => String::from_utf8_lossy(&answer.to_json()).into_owned(),
            Err(error) => format!("failed: {error}"),
        };
        Step::Reports { question: cut(json), answer: cut(answer) }
    });
}

/// Notes several questions that were asked together.
pub fn note_each(context: &Context, queries: &[Query], answers: Result<&Vec<Answer>, &ReportsError>) {
    match answers {
        Ok(answers) => {
            queries.iter().zip(answers).for_each(|(query, answer)| note(context, query, Ok(answer)));
        }
        Err(error) => {
            if let Some(first) = queries.first() {
                note(context, first, Err(error));
            }
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TRACED {
        text.truncate(text.floor_char_boundary(TRACED));
        text.push_str("...");
    }
    text
}
