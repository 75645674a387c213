-- Applications: their events, and what the events add up to, for lists and look-ups.

-- One row for each application, written anew by every event.
CREATE TABLE applications (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    requester TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    due_on TEXT COLLATE "C",
    -- When its grant came into force; none before.
    granted_at BIGINT,
    -- Can anything still happen to it?
    open BOOLEAN NOT NULL,
    -- The version of the rules (versions.seq) under which its clocks and its last day were worked out.
    rules BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX applications_requester ON applications (requester, id);
CREATE INDEX applications_requester_state ON applications (requester, state, id);
CREATE INDEX applications_requester_dataset ON applications (requester, dataset, id);
CREATE INDEX applications_provider ON applications (provider, id);
CREATE INDEX applications_provider_state ON applications (provider, state, id);
CREATE INDEX applications_state ON applications (state, id);
CREATE INDEX applications_rules ON applications (rules) WHERE open;
CREATE INDEX applications_granted ON applications (id) WHERE granted_at IS NOT NULL;
CREATE INDEX applications_requester_granted ON applications (requester, id) WHERE granted_at IS NOT NULL;
CREATE INDEX applications_provider_granted ON applications (provider, id) WHERE granted_at IS NOT NULL;

-- What happened; never changed, never deleted. `act` tells of it to the log.
CREATE TABLE application_events (
    application TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    seq BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    act BIGINT NOT NULL REFERENCES acts (seq),
    PRIMARY KEY (application, seq)
);

-- Which role of which department is waited for; an empty department stands for any.
CREATE TABLE application_waits (
    department TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    application TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    PRIMARY KEY (department, role, application)
);
CREATE INDEX application_waits_application ON application_waits (application);

-- Who approved what whom applied for, by natural persons: for rings of two.
CREATE TABLE application_approvals (
    applicant TEXT COLLATE "C" NOT NULL,
    approver TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    application TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    PRIMARY KEY (applicant, approver, at, application)
);

-- Clocks that run. One that ran out is deleted by the transaction that adds what came of it.
CREATE TABLE timers (
    application TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    kind TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (application, kind, at)
);
CREATE INDEX timers_at ON timers (at);

-- Roles lent for a time.
CREATE TABLE delegations (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_account TEXT COLLATE "C" NOT NULL,
    to_account TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX delegations_from ON delegations (from_account, until);
CREATE INDEX delegations_to ON delegations (to_account, until);

-- Answers that were given, by the key that the caller chose, for a day.
CREATE TABLE idempotency_keys (
    account TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    answer TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);
CREATE INDEX idempotency_keys_account ON idempotency_keys (account, at);

CREATE INDEX grants_requester ON grants (requester, state);
