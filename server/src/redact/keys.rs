//! What the key of an attribute says about its value, whatever that looks like.
//!
//! Keys are compared by their last part (behind the last dot), without case, `_` and `-`. The key itself
//! is a text like any other; what stands in it is looked for elsewhere.

/// What the value of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// A secret; this mark stands for it.
    Secret(&'static str),
    /// The name of a user.
    User,
    /// Anything.
    Nothing,
}

/// Letters of the longest key that promises something.
const LONGEST: usize = "proxyauthorization".len();

/// What the value of this key is.
pub(super) fn promise(key: &str) -> Promise {
    let mut bare = [0; LONGEST];
    let Some(len) = bare_end(key.as_bytes(), &mut bare) else { return Promise::Nothing };
    match &bare[LONGEST - len..] {
        b"password" | b"passwd" | b"pwd" | b"passphrase" => Promise::Secret("[secret:password]"),
        b"secret" | b"clientsecret" | b"secretkey" | b"secretaccesskey" | b"apikey" | b"xapikey" | b"accesskey" => {
            Promise::Secret("[secret:api-key]")
        }
        b"privatekey" => Promise::Secret("[secret:private-key]"),
        b"token" | b"accesstoken" | b"refreshtoken" | b"idtoken" | b"authtoken" | b"sessiontoken" => {
            Promise::Secret("[secret:token]")
        }
        b"authorization" | b"proxyauthorization" => Promise::Secret("[secret:authorization]"),
        b"cookie" | b"setcookie" => Promise::Secret("[secret:cookie]"),
        b"userid" | b"user" | b"uid" | b"username" | b"login" | b"email" | b"useremail" | b"account"
        | b"accountname" | b"principal" | b"owner" | b"ownerid" => Promise::User,
        _ => Promise::Nothing,
    }
}

/// Writes the bare last part of a key to the end of `bare` and gives its length; None: it is longer.
fn bare_end(key: &[u8], bare: &mut [u8; LONGEST]) -> Option<usize> {
    let last = key.iter().rev().take_while(|byte| **byte != b'.').filter(|byte| !matches!(byte, b'_' | b'-'));
    let mut len = 0;
    for byte in last {
        len += 1;
        *bare.get_mut(LONGEST.checked_sub(len)?)? = byte.to_ascii_lowercase();
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_promises_by_its_last_part_whatever_its_spelling() {
        for (key, wanted) in [
            ("apiKey", Promise::Secret("[secret:api-key]")),
            ("http.Proxy-Authorization", Promise::Secret("[secret:authorization]")),
            ("db.PASSWORD", Promise::Secret("[secret:password]")),
            ("_set_cookie_", Promise::Secret("[secret:cookie]")),
            ("enduser.user-id", Promise::User),
            ("Account_Name", Promise::User),
            ("x.proxyauthorizations", Promise::Nothing),
            ("password.hint", Promise::Nothing),
            ("pässword", Promise::Nothing),
            ("token_count", Promise::Nothing),
            ("", Promise::Nothing),
            ("user.", Promise::Nothing),
        ] {
            assert_eq!(promise(key), wanted, "{key}");
        }
    }
}
