-- The newest checkpoint that this witness has cosigned of each log: what it must never contradict.
CREATE TABLE seen (
    origin TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
);
