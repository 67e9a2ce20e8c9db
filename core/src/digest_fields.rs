//! `Repr-Digest` and `Content-Digest` (RFC 9530): digests that a server sends along.
//!
//! Both are dictionaries of structured fields (RFC 9651) whose members are byte sequences, without parameters. Of these
//! only that much is read: a field with anything else in it is not what RFC 9530 defines, and is ignored as a whole.

use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};

use crate::{Algorithm, Digest};

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Padding may be missing and its bits may be anything (RFC 9651 section 4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The digests of the whole file, as it is encoded for this reply, also where the reply is a part of it (section 3).
pub(crate) fn repr_digests(headers: &HeaderMap) -> Vec<Digest> {
    digests(headers, &REPR_DIGEST).unwrap_or_default()
}

/// The digests of the bytes of this very reply (section 2).
pub(crate) fn content_digests(headers: &HeaderMap) -> Vec<Digest> {
    digests(headers, &CONTENT_DIGEST).unwrap_or_default()
}

/// The algorithms that are to be relied on (section 5): a file with the digest of another can be made for those that
/// the registry calls deprecated.
fn algorithm(key: &[u8]) -> Option<Algorithm> {
    match key {
        b"sha-256" => Some(Algorithm::Sha256),
        b"sha-512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

/// At most one digest for each algorithm; `None` where the field cannot be read.
fn digests(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<Digest>> {
    // Several lines are one list (RFC 9651 section 4.2).
    let mut lines = headers.get_all(name).iter();
    let mut joined = lines.next()?.as_bytes().to_vec();
    for line in lines {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
    }
    let mut digests: Vec<Digest> = Vec::new();
    let mut rest = trim(&joined, b" ");
    while !rest.is_empty() {
        let (key, value, after) = member(rest)?;
        if let Some(algorithm) = algorithm(key) {
            // Of two members with one key the last counts (section 4.2.2), also where it is of no use.
            digests.retain(|digest| digest.algorithm() != algorithm);
            digests.extend(Digest::new(algorithm, &value));
        }
        rest = trim(after, b" \t");
        if !rest.is_empty() {
            rest = trim(rest.strip_prefix(b",")?, b" \t");
            // A comma promises another member.
            (!rest.is_empty()).then_some(())?;
        }
    }
    Some(digests)
}

/// `key=:BASE64:` and what follows it.
fn member(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
    text.first().filter(|byte| byte.is_ascii_lowercase() || **byte == b'*')?;
    let (key, rest) = text.split_at_checked(text.iter().position(|&byte| !is_key(byte))?)?;
    let rest = rest.strip_prefix(b"=:")?;
    let (encoded, rest) = rest.split_at_checked(rest.iter().position(|&byte| byte == b':')?)?;
    Some((key, BASE64.decode(encoded).ok()?, rest.strip_prefix(b":")?))
}

/// Without any of these bytes at both ends.
fn trim<'a>(mut text: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| bytes.contains(first)) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| bytes.contains(last)) {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use base64::engine::general_purpose::STANDARD as CANONICAL;
    use http::HeaderValue;
    use proptest::prelude::*;

    // Of `{"hello": "world"}` and a line feed: the examples of RFC 9530 appendix B.
    const SHA256: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    const SHA512: &str =
        "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
    const SHA256_HEX: &str = "sha256:44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38";

    fn parsed(values: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REPR_DIGEST, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert_eq!(content_digests(&headers), []);
        repr_digests(&headers).iter().map(ToString::to_string).collect()
    }

    fn algorithms(values: &[&str]) -> Vec<String> {
        parsed(values).iter().map(|digest| digest.split(':').next().unwrap().into()).collect()
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(parsed(&[SHA256]), [SHA256_HEX]);
        assert_eq!(algorithms(&[SHA512]), ["sha512"]);
        let both = format!("{SHA256},{SHA512}");
        for values in [&[&*both][..], &[SHA256, SHA512], &[&format!("  {SHA256} \t,\t {SHA512}  ")]] {
            assert_eq!(algorithms(values), ["sha256", "sha512"], "{values:?}");
        }
        assert_eq!(algorithms(&[SHA512, SHA256]), ["sha512", "sha256"]);
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_DIGEST, HeaderValue::from_static(SHA256));
        assert_eq!((content_digests(&headers).len(), repr_digests(&headers).len()), (1, 0));
    }

    #[test]
    fn weak_and_unknown_algorithms_are_passed_over() {
        let others = "md5=:Sd/dVLAcvNLSq16eXua5uQ==:, sha=:07CavjDP4u3/TungoUHJO/Wzr4c=:, unixsum=:AAA=:, *x.y_z-1=::";
        assert_eq!(parsed(&[others]), [""; 0]);
        assert_eq!(algorithms(&[others, SHA256]), ["sha256"]);
    }

    #[test]
    fn padding_is_not_insisted_on() {
        let bare = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:";
        let odd = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDj=:";
        assert_eq!(parsed(&[bare]), parsed(&[SHA256]));
        assert_eq!(parsed(&[odd]), parsed(&[SHA256]));
    }

    #[test]
    fn a_digest_of_another_length_is_none() {
        for value in ["sha-256=::", "sha-256=:AAAA:", "sha-512=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"] {
            assert_eq!(parsed(&[value]), [""; 0], "{value}");
            assert_eq!(algorithms(&[&format!("{}, {value}", SHA256.replace("256", "257"))]), [""; 0]);
        }
        let other = SHA512.replace("sha-512", "sha-256");
        assert_eq!(algorithms(&[&other, SHA512]), ["sha512"]);
        // The last member of a key counts.
        assert_eq!(parsed(&[&other, SHA256]), parsed(&[SHA256]));
        assert_eq!(parsed(&[SHA256, &other]), [""; 0]);
        assert_eq!(parsed(&[SHA256, SHA256]).len(), 1);
    }

    #[test]
    fn a_field_that_cannot_be_read_is_none_at_all() {
        let encoded = &SHA256[8..];
        let broken = [
            format!("{SHA256},"),
            format!("{SHA256}, "),
            format!(",{SHA256}"),
            format!("{SHA256},,{SHA512}"),
            format!("{SHA256} {SHA512}"),
            format!("{SHA256};{SHA512}"),
            format!("{SHA256};a=1"),
            format!("{SHA256}x"),
            format!("\t{SHA256}"),
            format!("{SHA256}, sha-512"),
            format!("{SHA256}, sha-512=1"),
            format!("{SHA256}, sha-512=\"a\""),
            format!("{SHA256}, sha-512=(:AAAA:)"),
            format!("{SHA256}, x=:AA*A:"),
            format!("{SHA256}, x=:A:"),
            format!("{SHA256}, X=:AAAA:"),
            format!("{SHA256}, 1=:AAAA:"),
            format!("{SHA256}, =:AAAA:"),
            format!("SHA-256={encoded}"),
            format!("sha-256 ={encoded}"),
            format!("sha-256= {encoded}"),
            format!("sha-256{encoded}"),
            format!("sha-256={}", encoded.trim_end_matches(':')),
            format!("sha-256={}", encoded.trim_start_matches(':')),
            format!("sha-256={}", encoded.replace('/', "_")),
            format!("sha-256={}", encoded.replace('=', "==")),
            format!("sha-256={}", encoded.replace('y', " ")),
            SHA256_HEX.into(),
            "44aff4ab2d7c3250".into(),
        ];
        for value in &broken {
            assert_eq!(parsed(&[value]), [""; 0], "{value}");
        }
        assert_eq!(parsed(&[SHA256, ""]), [""; 0]);
        assert_eq!(parsed(&[""]), [""; 0]);
        assert_eq!(parsed(&[]), [""; 0]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(short in any::<[u8; 32]>(), long in any::<[[u8; 32]; 2]>()) {
            let long = long.concat();
            let value = format!("sha-512=:{}:, sha-256=:{}:", CANONICAL.encode(&long), CANONICAL.encode(short));
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_DIGEST, HeaderValue::from_str(&value).unwrap());
            let digests = content_digests(&headers);
            prop_assert_eq!(digests.len(), 2);
            prop_assert_eq!(digests[0].as_bytes(), &*long);
            prop_assert_eq!(digests[1].as_bytes(), short);
        }

        #[test]
        fn no_field_panics(value in "( ?(sha-256|md5|[a*A])(=|=:)[A-Za-z0-9/+= \"]{0,4}:?[,; \t]{0,2}){0,4}") {
            parsed(&[&value]);
        }
    }
}
