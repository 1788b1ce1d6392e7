//! The code blocks of Markdown files.

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The file it is in.
    pub file: PathBuf,
    /// The line of its opening fence, from 1.
    pub line: usize,
    /// What follows the opening fence: the language, and words after a comma.
    pub tag: String,
    /// Its lines.
    pub text: String,
}

impl Block {
    /// The first word of the tag.
    pub fn language(&self) -> &str {
        self.tag.split(',').next().unwrap_or_default().trim()
    }

    /// Whether the tag has this word after the language.
    pub fn has(&self, word: &str) -> bool {
        self.tag.split(',').skip(1).any(|each| each.trim() == word)
    }

    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// The fenced blocks of a file, in order.
pub fn blocks(file: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<(String, Block)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        match &mut open {
            Some((fence, block)) => {
                if trimmed.trim_end() == fence {
                    found.extend(open.take().map(|(_, block)| block));
                } else {
                    block.text += line;
                    block.text.push('\n');
                }
            }
            None if trimmed.starts_with("```") => {
                let fence: String = trimmed.chars().take_while(|&each| each == '`').collect();
                let tag = trimmed[fence.len()..].trim().to_owned();
                let block = Block { file: file.to_owned(), line: index + 1, tag, text: String::new() };
                open = Some((fence, block));
            }
            None => {}
        }
    }
    assert!(open.is_none(), "{}: a code block is not closed", file.display());
    found
}

/// All Markdown files of the project, sorted.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // Hidden folders, what is built, and the book made from these files.
                if !name.starts_with('.') && name != "target" && name != "book" && name != "node_modules" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
