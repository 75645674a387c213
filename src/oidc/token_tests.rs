//! What tokens are taken, and what is wrong with the others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_000_000;
const ISSUER: &str = "https://id.example";

fn pair() -> EcdsaKeyPair {
    let (kind, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let document = EcdsaKeyPair::generate_pkcs8(kind, &rng).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &rng).unwrap()
}

fn set(pair: &EcdsaKeyPair, id: &str) -> KeySet {
    let point = pair.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
    KeySet::read(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y }] })).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "a1b2", "aud": "sluice", "exp": NOW + 300, "iat": NOW, "nonce": "n-0",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn signed(pair: &EcdsaKeyPair, header: &Value, claims: &str) -> String {
    let [header, claims] = [header.to_string(), claims.to_owned()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = format!("{header}.{claims}");
    let signature = pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn subject(keys: &KeySet, token: &str) -> Result<String, Fault> {
    let now = Timestamp::from_micros(NOW * 1_000_000);
    let expected = Expected { issuer: ISSUER, client: "sluice", nonce: "n-0", now };
    Unverified::read(token)?.subject(keys, &expected)
}

#[test]
fn a_token_for_this_sign_in_names_its_subject() {
    let pair = pair();
    let keys = set(&pair, "k1");
    for header in [json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" }), json!({ "alg": "ES256" })] {
        assert_eq!(subject(&keys, &signed(&pair, &header, &claims().to_string())), Ok("a1b2".into()));
    }
    for good in [with("aud", json!(["sluice"])), with("azp", json!("sluice")), with("exp", json!(NOW - 59))] {
        let token = signed(&pair, &json!({ "alg": "ES256" }), &good.to_string());
        assert_eq!(subject(&keys, &token), Ok("a1b2".into()), "{good}");
    }
}

#[test]
fn a_token_that_says_anything_else_is_refused_for_that() {
    let pair = pair();
    let keys = set(&pair, "k1");
    for (claims, fault) in [
        (with("iss", json!("https://id.example/")), Fault::Issuer),
        (with("aud", json!("other")), Fault::Audience),
        (with("aud", json!(["sluice", "other"])), Fault::Audience),
        (with("aud", json!([])), Fault::Audience),
        (with("azp", json!("other")), Fault::Audience),
        (with("exp", json!(NOW - 60)), Fault::Expired),
        (with("iat", json!(NOW + 61)), Fault::Early),
        (with("nbf", json!(NOW + 61)), Fault::Early),
        (with("nonce", json!("n-1")), Fault::Nonce),
        (with("nonce", Value::Null), Fault::Nonce),
        (with("exp", json!("soon")), Fault::Malformed),
        (with("exp", Value::Null), Fault::Malformed),
        (with("sub", Value::Null), Fault::Malformed),
    ] {
        let token = signed(&pair, &json!({ "alg": "ES256", "kid": "k1" }), &claims.to_string());
        assert_eq!(subject(&keys, &token), Err(fault), "{claims}");
    }
    let twice = claims().to_string().replace("\"sub\"", "\"sub\":\"other\",\"sub\"");
    assert_eq!(subject(&keys, &signed(&pair, &json!({ "alg": "ES256" }), &twice)), Err(Fault::Malformed));
}

#[test]
fn a_token_signed_otherwise_is_refused_whatever_it_says() {
    let pair = pair();
    let (keys, claims) = (set(&pair, "k1"), claims().to_string());
    let signed_as = |header: Value| subject(&keys, &signed(&pair, &header, &claims));
    for alg in ["none", "None", "HS256", "RS384", ""] {
        assert_eq!(signed_as(json!({ "alg": alg })), Err(Fault::Algorithm), "{alg}");
    }
    let critical = json!({ "alg": "ES256", "crit": ["exp"] });
    assert_eq!(signed_as(critical), Err(Fault::Algorithm));
    // The header says RS256; the key is for ES256 and is not looked at otherwise.
    assert_eq!(signed_as(json!({ "alg": "RS256", "kid": "k1" })), Err(Fault::Signature));
    assert_eq!(signed_as(json!({ "alg": "ES256", "kid": "k2" })), Err(Fault::Signature));
    let good = signed(&pair, &json!({ "alg": "ES256" }), &claims);
    assert_eq!(subject(&set(&self::pair(), "k1"), &good), Err(Fault::Signature), "another's key");
    let (text, _) = good.rsplit_once('.').unwrap();
    assert_eq!(subject(&keys, &format!("{text}.")), Err(Fault::Signature));
    for none in ["", "a.b", "a.b.c", "e30.e30.", &"a".repeat(LONGEST + 1)] {
        assert_eq!(subject(&keys, none), Err(Fault::Malformed), "{none:.20}");
    }
    let other = signed(&pair, &json!({ "alg": "ES256" }), &claims.replace("a1b2", "root"));
    let forged = format!("{}.{}", other.rsplit_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
    assert_eq!(subject(&keys, &forged), Err(Fault::Signature));
}

/// RFC 7515 appendix A.2: a signature by RS256, of other claims than ours.
#[test]
fn the_example_of_the_standard_is_verified_with_the_key_beside_it() {
    let example: Value = serde_json::from_str(include_str!("../../tests/vectors/jws-rs256.json")).unwrap();
    let part = |name: &str| example[name].as_str().unwrap();
    let keys = KeySet::read(json!({ "keys": [example["key"].clone()] })).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(part("signature")).unwrap();
    let verified = |text: &str| keys.verify(Algorithm::Rs256, None, text.as_bytes(), &signature);
    assert!(verified(part("signed")));
    assert!(!verified(&part("signed").replace("eyJ", "eyK")));
    let mut key = example["key"].clone();
    key["use"] = json!("enc");
    assert!(!KeySet::read(json!({ "keys": [key] })).unwrap().has(Algorithm::Rs256, None));
}
