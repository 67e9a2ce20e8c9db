//! Questions to Rust source, answered on its tokens: comments and strings are not code.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Parses a file.
///
/// # Errors
///
/// Where it is not made of Rust tokens.
pub fn tokens(path: &str, text: &str) -> Result<TokenStream, String> {
    TokenStream::from_str(text).map_err(|error| format!("{path}: {error}"))
}

/// The lines where this word stands as an identifier.
#[must_use]
pub fn identifier(code: &TokenStream, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        lines.extend(level.iter().filter(|token| is_word(token, word)).map(line));
    });
    lines
}

/// The lines where this macro is called.
#[must_use]
pub fn macro_call(code: &TokenStream, name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        lines.extend(
            level.windows(2).filter(|two| is_word(&two[0], name) && is_punct(&two[1], '!')).map(|two| line(&two[0])),
        );
    });
    lines
}

/// The lines where these words follow each other.
#[must_use]
pub fn words(code: &TokenStream, words: &[&str]) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        let hits =
            level.windows(words.len()).filter(|some| some.iter().zip(words).all(|(token, word)| is_word(token, word)));
        lines.extend(hits.filter_map(|some| some.first().map(line)));
    });
    lines
}

/// The lines where `module` is named within `root`: as `root::module`, or in a list, as in `use root::{io, module}`.
#[must_use]
pub fn path(code: &TokenStream, root: &str, module: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        for four in level.windows(4) {
            let [first, colon, second_colon, last] = four else { continue };
            if !is_word(first, root) || !is_punct(colon, ':') || !is_punct(second_colon, ':') {
                continue;
            }
            let named = match last {
                TokenTree::Group(list) if list.delimiter() == Delimiter::Brace => {
                    let list: Vec<TokenTree> = list.stream().into_iter().collect();
                    let entry = |at: usize| at == 0 || is_punct(&list[at - 1], ',');
                    (0..list.len()).any(|at| entry(at) && is_word(&list[at], module))
                }
                token => is_word(token, module),
            };
            if named {
                lines.push(line(first));
            }
        }
    });
    lines
}

/// The lines where this word begins a path: `word::x`, but not `x::word::y`.
#[must_use]
pub fn path_root(code: &TokenStream, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        for at in 0..level.len() {
            let begins = at == 0 || !is_punct(&level[at - 1], ':');
            let goes_on = level.get(at + 1).is_some_and(|next| is_punct(next, ':'))
                && level.get(at + 2).is_some_and(|next| is_punct(next, ':'));
            if is_word(&level[at], word) && begins && goes_on {
                lines.push(line(&level[at]));
            }
        }
    });
    lines
}

/// The lines of the attributes (outer and inner) that begin with this word, also behind `cfg_attr`.
#[must_use]
pub fn attribute(code: &TokenStream, name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    each_level(code, &mut |level| {
        for two in level.windows(2) {
            let TokenTree::Group(group) = &two[1] else { continue };
            let marked = is_punct(&two[0], '#') || is_punct(&two[0], '!');
            if !marked || group.delimiter() != Delimiter::Bracket {
                continue;
            }
            let inside = group.stream();
            let first = inside.clone().into_iter().next();
            let hit = match &first {
                Some(word) if is_word(word, name) => true,
                Some(word) if is_word(word, "cfg_attr") => !identifier(&inside, name).is_empty(),
                _ => false,
            };
            if hit {
                lines.push(line(&two[0]));
            }
        }
    });
    lines
}

/// Whether the file has exactly this inner attribute, such as `#![no_std]`, unconditionally and for all of it.
#[must_use]
pub fn has_inner_attribute(code: &TokenStream, text: &str) -> bool {
    let Ok(wanted) = TokenStream::from_str(text) else { return false };
    let top: Vec<TokenTree> = code.clone().into_iter().collect();
    let wanted: Vec<String> = wanted.into_iter().map(|token| token.to_string()).collect();
    top.windows(3).any(|three| three.iter().map(ToString::to_string).eq(wanted.iter().cloned()))
}

/// Calls with the tokens of each level, outermost first.
fn each_level(code: &TokenStream, visit: &mut dyn FnMut(&[TokenTree])) {
    let level: Vec<TokenTree> = code.clone().into_iter().collect();
    visit(&level);
    for token in &level {
        if let TokenTree::Group(group) = token {
            each_level(&group.stream(), visit);
        }
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> TokenStream {
        tokens("test", text).unwrap()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let code = code("// word!()\n/* word */ /// word\nfn f() { let _ = \"word std::fs\"; }\n");
        assert!(identifier(&code, "word").is_empty() && macro_call(&code, "word").is_empty());
        assert!(path(&code, "std", "fs").is_empty());
    }

    #[test]
    fn paths_are_found_alone_and_in_lists() {
        assert_eq!(path(&code("use std::fs;"), "std", "fs"), [1]);
        assert_eq!(path(&code("use std::{io,\nfs::File};"), "std", "fs"), [1]);
        assert_eq!(path(&code("fn f() {\n g(::std::fs::read(x)) }"), "std", "fs"), [2]);
        assert!(path(&code("use std::{io::fs, net}; use my::fs; let fs = std::io::fs;"), "std", "fs").is_empty());
    }

    #[test]
    fn a_root_is_not_a_member() {
        assert_eq!(path_root(&code("use http::Uri;"), "http"), [1]);
        assert!(path_root(&code("use a::http::Uri; let http = 1; http.b(); let x: http = 2;"), "http").is_empty());
    }

    #[test]
    fn attributes_are_found_behind_conditions_too() {
        assert_eq!(attribute(&code("#[test]\n#[ignore = \"why\"]\nfn f() {}"), "ignore"), [2]);
        assert_eq!(attribute(&code("mod m { #[cfg_attr(unix, ignore)] fn f() {} }"), "ignore"), [1]);
        assert!(attribute(&code("let ignore = [ignore]; #[doc = \"ignore\"] fn f() {}"), "ignore").is_empty());
    }

    #[test]
    fn an_inner_attribute_stands_as_it_is_or_not_at_all() {
        assert!(has_inner_attribute(&code("#![no_std]\nfn f() {}"), "#![no_std]"));
        assert!(!has_inner_attribute(&code("#![cfg_attr(unix, no_std)]"), "#![no_std]"));
        assert!(!has_inner_attribute(&code("// #![no_std]"), "#![no_std]"));
        assert!(!has_inner_attribute(&code("mod m { #![no_std] }"), "#![no_std]"));
    }
}
