//! The tables, as diesel knows them.
#![allow(missing_docs, reason = "the migration documents them")]

diesel::table! {
    revision (id) {
        id -> Integer,
        value -> BigInt,
    }
}

diesel::table! {
    versions (seq) {
        seq -> BigInt,
        catalogue_version -> BigInt,
        catalogue_digest -> Text,
        policy_version -> BigInt,
        policy_digest -> Text,
        sources -> Text,
        applied_at -> BigInt,
    }
}

diesel::table! {
    system_keys (fingerprint) {
        fingerprint -> Text,
        system -> Text,
        registered_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    acts (seq) {
        seq -> BigInt,
        kind -> Text,
        object -> Text,
        detail -> Text,
        at -> BigInt,
        actor -> Text,
        log_index -> Nullable<BigInt>,
    }
}

diesel::table! {
    quota (grant_id, day) {
        grant_id -> Text,
        day -> Text,
        used -> BigInt,
        people -> BigInt,
    }
}

diesel::table! {
    grants (id) {
        id -> Text,
        application -> Text,
        requester -> Text,
        terms -> Text,
        digest -> Text,
        since -> BigInt,
        state -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    quota_people (grant_id, day, token) {
        grant_id -> Text,
        day -> Text,
        token -> Binary,
    }
}
