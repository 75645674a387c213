-- The search index over the log, in a database of its own: can be deleted and is built anew.
CREATE TABLE entry (
    idx INTEGER PRIMARY KEY NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    department TEXT NOT NULL,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    purpose TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE INDEX entry_time ON entry (time);
CREATE INDEX entry_request_id ON entry (request_id) WHERE request_id <> '';
CREATE INDEX entry_department ON entry (department, idx);
CREATE INDEX entry_system ON entry (system, idx);
CREATE INDEX entry_dataset ON entry (dataset, idx);
CREATE INDEX entry_purpose ON entry (purpose, idx);
CREATE INDEX entry_outcome ON entry (outcome, idx);
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
