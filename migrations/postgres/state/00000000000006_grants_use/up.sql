-- Different subjects asked under a grant on a day (Asia/Shanghai).
ALTER TABLE quota ADD COLUMN people BIGINT NOT NULL DEFAULT 0;

-- Which they were, as keyed tokens that differ from grant to grant and from day to day; those of
-- past days are deleted.
CREATE TABLE quota_people (
    grant_id TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    token BYTEA NOT NULL,
    PRIMARY KEY (grant_id, day, token)
);
CREATE INDEX quota_people_day ON quota_people (day);

-- How a grant came to stand as it does.
CREATE INDEX acts_object ON acts (object, seq);

-- Who may open emergency access (应急) to which dataset.
CREATE TABLE emergency_enrolments (
    account TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'suspended', 'withdrawn')),
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account, dataset)
);

-- Emergency access that was opened: a grant for an hour, and its review afterwards.
CREATE TABLE emergencies (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    department TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    terms TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'ended')),
    review_due TEXT COLLATE "C" NOT NULL,
    overdue BOOLEAN NOT NULL DEFAULT FALSE,
    verdict TEXT COLLATE "C" CHECK (verdict IN ('proper', 'misuse')),
    note TEXT COLLATE "C",
    reviewer TEXT COLLATE "C",
    reviewed_at BIGINT
);
CREATE INDEX emergencies_open ON emergencies (until) WHERE state = 'active';
CREATE INDEX emergencies_unreviewed ON emergencies (review_due) WHERE verdict IS NULL AND NOT overdue;
CREATE INDEX emergencies_account ON emergencies (account, since);
CREATE INDEX emergencies_provider ON emergencies (provider, since);
