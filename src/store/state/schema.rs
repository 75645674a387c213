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
        seal -> Nullable<Text>,
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

diesel::table! {
    emergency_enrolments (account, dataset) {
        account -> Text,
        dataset -> Text,
        state -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    emergencies (id) {
        id -> Text,
        account -> Text,
        person -> Text,
        department -> Text,
        provider -> Text,
        dataset -> Text,
        terms -> Text,
        digest -> Text,
        reason -> Text,
        since -> BigInt,
        until -> BigInt,
        state -> Text,
        review_due -> Text,
        overdue -> Bool,
        verdict -> Nullable<Text>,
        note -> Nullable<Text>,
        reviewer -> Nullable<Text>,
        reviewed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    accounts (id) {
        id -> Text,
        person -> Text,
        name -> Text,
        department -> Text,
        email -> Nullable<Text>,
        lang -> Text,
        active -> Bool,
        password -> Nullable<Text>,
        password_until -> Nullable<BigInt>,
        code_secret -> Nullable<Text>,
        code_pending -> Nullable<Text>,
        code_step -> BigInt,
        oidc_issuer -> Nullable<Text>,
        oidc_subject -> Nullable<Text>,
    }
}

diesel::table! {
    account_roles (account, role) {
        account -> Text,
        role -> Text,
    }
}

diesel::table! {
    account_keys (fingerprint) {
        fingerprint -> Text,
        account -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        token -> Text,
        account -> Text,
        means -> Text,
        since -> BigInt,
        used -> BigInt,
        seal -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(accounts, account_roles);

diesel::table! {
    applications (id) {
        id -> Text,
        version -> BigInt,
        state -> Text,
        requester -> Text,
        provider -> Text,
        dataset -> Text,
        due_on -> Nullable<Text>,
        granted_at -> Nullable<BigInt>,
        open -> Bool,
        rules -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    application_events (application, seq) {
        application -> Text,
        seq -> BigInt,
        event -> Text,
        act -> BigInt,
    }
}

diesel::table! {
    application_waits (department, role, application) {
        department -> Text,
        role -> Text,
        application -> Text,
        due_on -> Text,
    }
}

diesel::table! {
    application_approvals (applicant, approver, at, application) {
        applicant -> Text,
        approver -> Text,
        at -> BigInt,
        application -> Text,
    }
}

diesel::table! {
    timers (application, kind, at) {
        application -> Text,
        kind -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    delegations (id) {
        id -> BigInt,
        from_account -> Text,
        to_account -> Text,
        role -> Text,
        since -> BigInt,
        until -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (account, key) {
        account -> Text,
        key -> Text,
        request -> Text,
        answer -> Text,
        at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(application_events, applications, acts);
diesel::allow_tables_to_appear_in_same_query!(application_waits, applications);

diesel::table! {
    notices (seq) {
        seq -> BigInt,
        recipient -> Text,
        kind -> Text,
        object -> Text,
        about -> Text,
        urgency -> Text,
        created_at -> BigInt,
        act -> BigInt,
        addressed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    letters (id) {
        id -> BigInt,
        channel -> Text,
        address -> Text,
        digest -> Bool,
        created_at -> BigInt,
        attempts -> Integer,
        next_try -> BigInt,
        sent_at -> Nullable<BigInt>,
        parked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    letter_notices (letter, notice) {
        letter -> BigInt,
        notice -> BigInt,
    }
}

diesel::joinable!(letter_notices -> notices (notice));
diesel::joinable!(letter_notices -> letters (letter));
diesel::allow_tables_to_appear_in_same_query!(acts, notices, letters, letter_notices);

diesel::table! {
    attempts (slot) {
        slot -> Integer,
        mark -> Binary,
        count -> Integer,
        last -> BigInt,
    }
}

diesel::table! {
    saved_searches (id) {
        id -> BigInt,
        account -> Text,
        name -> Text,
        query -> Text,
        saved_at -> BigInt,
    }
}

diesel::table! {
    consents (id) {
        id -> Text,
        mark -> Binary,
        case_number -> Text,
        reason -> Text,
        account -> Text,
        person -> Text,
        asked_at -> BigInt,
        until -> BigInt,
        state -> Text,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<BigInt>,
    }
}
