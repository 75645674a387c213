-- What the gateway decides by, and the acts by which that changes.
-- Texts are compared byte by byte, as in SQLite: COLLATE "C".

-- Raised by every change, so that a gateway sees with one small read whether anything is new.
CREATE TABLE revision (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL
);
INSERT INTO revision (id, value) VALUES (1, 0);

-- Catalogue and policies as they were applied: one row is one world.
CREATE TABLE versions (
    seq BIGINT NOT NULL PRIMARY KEY,
    catalogue_version BIGINT NOT NULL,
    catalogue_digest TEXT COLLATE "C" NOT NULL,
    policy_version BIGINT NOT NULL,
    policy_digest TEXT COLLATE "C" NOT NULL,
    sources TEXT COLLATE "C" NOT NULL,
    applied_at BIGINT NOT NULL
);

-- The keys of systems, by the SHA-256 of the public key.
CREATE TABLE system_keys (
    fingerprint TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    system TEXT COLLATE "C" NOT NULL,
    registered_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- Administrative acts. One takes effect only after the log has recorded it.
CREATE TABLE acts (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    log_index BIGINT
);
CREATE INDEX acts_pending ON acts (seq) WHERE log_index IS NULL;
CREATE INDEX acts_detail ON acts (detail);

-- Subjects asked under a grant on a day (Asia/Shanghai).
CREATE TABLE quota (
    grant_id TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (grant_id, day)
);
