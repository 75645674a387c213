//! Passwords: which are good enough, and how they are kept.
//!
//! Invariant: what is kept is Argon2id (RFC 9106) with a salt of its own and the parameters it was
//! made with, so that these can be raised later; the password itself is nowhere. A key that is not
//! kept beside it (the pepper) goes in too: who can write the database alone can make no password
//! that is accepted, and who can read it cannot try any. Hashing takes 19 MiB and some tens of milliseconds: who calls this bounds how many do at one time.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::SecureRandom;

use crate::base::secret::same;
use crate::base::{Code, Secret};

/// The length of a password, in characters (NIST SP 800-63B section 3.1.1 asks for 8 with a second
/// factor; here it is 12).
const SHORTEST: usize = 12;
const LONGEST: usize = 128;

/// The memory in KiB, the passes and the lanes (OWASP Password Storage Cheat Sheet).
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most of each that a stored text may ask for: a tampered row must not exhaust the machine.
const MOST: (u32, u32, u32) = (64 * 1024, 10, 4);

/// Passwords long enough that everybody tries first; compared without case.
const COMMON: &[&str] = &[
    "000000000000",
    "111111111111",
    "123123123123",
    "123456123456",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "1234567890ab",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "888888888888",
    "666666666666",
    "a12345678901",
    "aa1234567890",
    "abc123456789",
    "abcd12345678",
    "abcdefghijkl",
    "administrator",
    "adminadminadmin",
    "admin123456!",
    "admin1234567",
    "iloveyou1234",
    "letmeinletmein",
    "p@ssw0rd1234",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "qazwsxedcrfv",
    "qq1234567890",
    "qwer12345678",
    "qwerasdfzxcv",
    "qwerty123456",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "welcome12345",
    "woaini123456",
    "woaini1314520",
    "zxcvbnm12345",
];

/// The key that goes into every hash.
pub type Pepper = Secret<[u8; 32]>;

/// May `password` be the password of the account with this id?
///
/// # Errors
/// `out-of-bounds` by its length; `weak-password` when it is what everybody tries first: a common
/// one, one character over and over, or made of the account's id.
pub fn check(password: &str, account: &str) -> Result<(), Code> {
    if !(SHORTEST..=LONGEST).contains(&password.chars().take(LONGEST + 1).count()) {
        return Err(Code::OutOfBounds);
    }
    let lower = password.to_lowercase();
    let mut characters = lower.chars();
    let first = characters.next();
    let one_only = characters.all(|c| Some(c) == first);
    let account = account.to_lowercase();
    let rest = lower.replace(&account, "").chars().count();
    let of_the_account = lower.contains(&account) && rest < SHORTEST / 2;
    if one_only || of_the_account || COMMON.contains(&lower.as_str()) {
        return Err(Code::WeakPassword);
    }
    Ok(())
}

/// A password to be used once: 20 characters that are not mistaken for each other, 98 bits. None
/// when the machine gives no randomness.
pub fn one_time(rng: &dyn SecureRandom) -> Option<Secret<String>> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    rng.fill(&mut bytes).ok()?;
    let letters = bytes.iter().map(|byte| LETTERS.get(usize::from(byte & 31)).map(|l| char::from(*l)));
    letters.collect::<Option<String>>().map(Secret::new)
}

/// What is kept of `password`, as `$argon2id$v=19$m=..,t=..,p=..$salt$hash` (PHC string format).
/// None when the machine gives no randomness or no memory.
pub fn keep(password: &str, pepper: &Pepper, rng: &dyn SecureRandom) -> Option<Secret<String>> {
    let mut salt = [0; 16];
    rng.fill(&mut salt).ok()?;
    let hash = hash(password, pepper.reveal(), &salt, (MEMORY, PASSES, LANES))?;
    Some(text(&salt, &hash))
}

/// What could have been kept of a password, and is of none: chance in the place of a hash, so that
/// no time and memory go into making it. To verify against it takes as long as against any. None
/// when the machine gives no randomness.
pub fn of_none(rng: &dyn SecureRandom) -> Option<Secret<String>> {
    let (mut salt, mut hash) = ([0; 16], [0; 32]);
    rng.fill(&mut salt).ok()?;
    rng.fill(&mut hash).ok()?;
    Some(text(&salt, &hash))
}

fn text(salt: &[u8], hash: &[u8]) -> Secret<String> {
    let [salt, hash] = [salt, hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    Secret::new(format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${hash}"))
}

/// Is it the password of which that was kept? A kept text that cannot be read is nobody's.
pub fn verify(password: &str, kept: &Secret<String>, pepper: &Pepper) -> bool {
    let long = password.len() > LONGEST * 4;
    let Some((salt, expected, costs)) = read(kept.reveal()).filter(|_| !long) else { return false };
    hash(password, pepper.reveal(), &salt, costs).is_some_and(|hash| same(&hash, &expected))
}

fn hash(
    password: &str,
    pepper: &[u8],
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut out = [0; 32];
    let argon2 = Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params).ok()?;
    argon2.hash_password_into(password.as_bytes(), salt, &mut out).ok()?;
    Some(out)
}

/// Memory in KiB, passes, lanes.
type Costs = (u32, u32, u32);

/// Salt, hash and costs of a kept text.
fn read(kept: &str) -> Option<(Vec<u8>, Vec<u8>, Costs)> {
    let mut parts = kept.strip_prefix("$argon2id$v=19$")?.split('$');
    let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut costs = costs.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let costs = (cost("m=")?, cost("t=")?, cost("p=")?);
    let bearable = costs.0 <= MOST.0 && costs.1 <= MOST.1 && costs.2 <= MOST.2;
    let bytes = |text: &str| STANDARD_NO_PAD.decode(text).ok();
    bearable.then_some(()).and_then(|()| Some((bytes(salt)?, bytes(hash)?, costs)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    const GOOD: &str = "七号线 in the morning";

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let (pepper, rng) = (Secret::new([1; 32]), SystemRandom::new());
        let kept = keep(GOOD, &pepper, &rng).unwrap();
        assert!(verify(GOOD, &kept, &pepper));
        assert!(!verify("七号线 in the evening", &kept, &pepper) && !verify("", &kept, &pepper));
        assert!(!verify(GOOD, &kept, &Secret::new([2; 32])), "nor without the key");
        let again = keep(GOOD, &pepper, &rng).unwrap();
        assert_ne!(kept.reveal(), again.reveal(), "each has a salt of its own");
    }

    /// The reference implementation's command line: `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 -v 13`
    #[test]
    fn the_hash_is_that_of_the_reference_implementation() {
        let expected = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hashed = hash("password", b"", b"somesalt", (65_536, 2, 1)).unwrap();
        assert_eq!(STANDARD_NO_PAD.encode(hashed), expected);
    }

    #[test]
    fn what_is_kept_of_none_costs_as_much_as_any_and_is_nobodys_password() {
        let (pepper, rng) = (Secret::new([1; 32]), SystemRandom::new());
        let (none, some) = (of_none(&rng).unwrap(), keep(GOOD, &pepper, &rng).unwrap());
        let costs = |kept: &Secret<String>| read(kept.reveal()).unwrap().2;
        assert_eq!(costs(&none), costs(&some));
        assert!(!verify(GOOD, &none, &pepper) && !verify("", &none, &pepper));
    }

    #[test]
    fn what_cannot_be_read_or_costs_too_much_is_nobodys_password() {
        for kept in [
            "",
            "password",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
        ] {
            assert!(!verify("password", &Secret::new(kept.to_owned()), &Secret::new([1; 32])), "{kept}");
        }
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for (password, fault) in [
            ("elevenchars", Code::OutOfBounds),
            (&"长".repeat(129), Code::OutOfBounds),
            ("Password1234", Code::WeakPassword),
            ("xxxxxxxxxxxx", Code::WeakPassword),
            ("civil.zhang.1", Code::WeakPassword),
            ("1Civil.Zhang2", Code::WeakPassword),
        ] {
            assert_eq!(check(password, "civil.zhang"), Err(fault), "{password}");
        }
        for good in [GOOD, "twelve chars", "civil.zhang goes to the river"] {
            assert_eq!(check(good, "civil.zhang"), Ok(()), "{good}");
        }
        let one_time = one_time(&SystemRandom::new()).unwrap();
        assert_eq!(check(one_time.reveal(), "civil.zhang"), Ok(()));
    }
}
