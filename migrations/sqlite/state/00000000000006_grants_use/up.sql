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
