-- Grants, as the events of their applications say they stand. A grant of policies/grants.toml has
-- a row once somebody stopped it.
CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    application TEXT NOT NULL,
    requester TEXT NOT NULL,
    terms TEXT NOT NULL,
    digest TEXT NOT NULL,
    since BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'ended')),
    changed_at BIGINT NOT NULL
);
