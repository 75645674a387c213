-- Who asks to see who asked about a person, and the word of a second officer on it. `mark` is a keyed hash
-- of the person's identifier, another one in every row; the key is not in this database. Rows whose
-- time is over are deleted.
CREATE TABLE consents (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mark BYTEA NOT NULL,
    case_number TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    -- The natural person behind the account.
    person TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    until BIGINT NOT NULL,
    -- asked, consented or refused.
    state TEXT COLLATE "C" NOT NULL,
    decided_by TEXT COLLATE "C",
    decided_at BIGINT
);
CREATE INDEX consents_until ON consents (until);
CREATE INDEX consents_person ON consents (person, until);
