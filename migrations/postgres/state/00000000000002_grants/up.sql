-- Grants, as the events of their applications say they stand. A grant of policies/grants.toml has
-- a row once somebody stopped it.
CREATE TABLE grants (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    application TEXT COLLATE "C" NOT NULL,
    requester TEXT COLLATE "C" NOT NULL,
    terms TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'suspended', 'ended')),
    changed_at BIGINT NOT NULL
);
