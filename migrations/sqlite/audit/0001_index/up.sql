-- The search index over the log, in a database of its own: can be deleted and is built anew.
--
-- Records are alike in all that is searched by but who acted: those are of one sort. So of each
-- record only three numbers are kept: when, of which sort, by whom; 2048 records side by side.
CREATE TABLE sort (
    id INTEGER PRIMARY KEY NOT NULL,
    -- The time of the first record of it.
    first INTEGER NOT NULL,
    -- A JSON array: kind, department, system, dataset, purpose, outcome; then field, form and rule
    -- of each field.
    names TEXT NOT NULL
);
CREATE TABLE actor (
    id INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL
);
CREATE TABLE block (
    -- The index of its first record, divided by 2048.
    number INTEGER PRIMARY KEY NOT NULL,
    -- The times of its first and its last record.
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    -- Three bytes for each record, the lowest first.
    sorts BLOB NOT NULL,
    actors BLOB NOT NULL,
    -- Microseconds since the record in front (LEB128).
    times BLOB NOT NULL
);
CREATE INDEX block_first ON block (first);
CREATE TABLE request (
    request_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (request_id, idx)
) WITHOUT ROWID;
-- The records of administrative acts.
CREATE TABLE act (
    idx INTEGER PRIMARY KEY NOT NULL
);
-- Keyed tokens of data subjects, by the opening they were made from.
CREATE TABLE subject (
    opening INTEGER PRIMARY KEY NOT NULL,
    token BLOB NOT NULL
);
CREATE INDEX subject_token ON subject (token, opening);
-- How far the index is: one row, id 0. The leaf hash tells whether it is still the same log.
CREATE TABLE progress (
    id INTEGER PRIMARY KEY NOT NULL,
    size INTEGER NOT NULL,
    leaf_hash BLOB NOT NULL
);
