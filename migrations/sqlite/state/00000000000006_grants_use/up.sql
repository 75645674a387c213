-- Different subjects asked under a grant on a day (Asia/Shanghai).
ALTER TABLE quota ADD COLUMN people BIGINT NOT NULL DEFAULT 0;

-- Which they were, as keyed tokens that differ from grant to grant and from day to day; those of
-- past days are deleted.
CREATE TABLE quota_people (
    grant_id TEXT NOT NULL,
    day TEXT NOT NULL,
    token BLOB NOT NULL,
    PRIMARY KEY (grant_id, day, token)
) WITHOUT ROWID;
CREATE INDEX quota_people_day ON quota_people (day);

-- How a grant came to stand as it does.
CREATE INDEX acts_object ON acts (object, seq);

-- Who may open emergency access (应急) to which dataset.
CREATE TABLE emergency_enrolments (
    account TEXT NOT NULL,
    dataset TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'withdrawn')),
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account, dataset)
);

-- Emergency access that was opened: a grant for an hour, and its review afterwards.
CREATE TABLE emergencies (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    person TEXT NOT NULL,
    department TEXT NOT NULL,
    provider TEXT NOT NULL,
    dataset TEXT NOT NULL,
    terms TEXT NOT NULL,
    digest TEXT NOT NULL,
    reason TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'ended')),
    review_due TEXT NOT NULL,
    overdue BOOLEAN NOT NULL DEFAULT FALSE,
    verdict TEXT CHECK (verdict IN ('proper', 'misuse')),
    note TEXT,
    reviewer TEXT,
    reviewed_at BIGINT
);
CREATE INDEX emergencies_open ON emergencies (until) WHERE state = 'active';
CREATE INDEX emergencies_unreviewed ON emergencies (review_due) WHERE verdict IS NULL AND NOT overdue;
CREATE INDEX emergencies_account ON emergencies (account, since);
CREATE INDEX emergencies_provider ON emergencies (provider, since);
