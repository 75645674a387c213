-- The log itself. Integer primary keys only: random-key indexes would cut durable inserts sixfold.
CREATE TABLE record (
    idx INTEGER PRIMARY KEY NOT NULL,
    leaf BLOB NOT NULL
);
-- Tiles of hashes. id = level * 2^48 + number within the level.
CREATE TABLE tile (
    id INTEGER PRIMARY KEY NOT NULL,
    hashes BLOB NOT NULL
);
-- Checkpoints that are kept: every 4096 records, and where keys change.
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY NOT NULL,
    note BLOB NOT NULL
);
-- The newest checkpoint: one row, id 0.
CREATE TABLE head (
    id INTEGER PRIMARY KEY NOT NULL,
    size INTEGER NOT NULL,
    note BLOB NOT NULL
);
-- Sealed openings of subject commitments, which may be erased. id = record index * 128 + position.
CREATE TABLE opening (
    id INTEGER PRIMARY KEY NOT NULL,
    sealed BLOB NOT NULL
);
