-- The log itself. A record is inserted, and never changed or deleted.
CREATE TABLE record (
    idx BIGINT PRIMARY KEY NOT NULL,
    leaf BYTEA NOT NULL
);
-- Full tiles of hashes, which never change. id = level * 2^48 + number within the level.
CREATE TABLE tile (
    id BIGINT PRIMARY KEY NOT NULL,
    hashes BYTEA NOT NULL
);
-- Hashes cannot be compressed: not tried.
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
-- Checkpoints that are kept: every 4096 records, and where keys change.
CREATE TABLE checkpoint (
    size BIGINT PRIMARY KEY NOT NULL,
    note BYTEA NOT NULL
);
-- The newest checkpoint: one row, id 0, which each batch of records locks and changes. The edge is
-- the tiles that are not full yet, one behind the other from level 0 up.
CREATE TABLE head (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 0),
    size BIGINT NOT NULL,
    note BYTEA NOT NULL,
    edge BYTEA NOT NULL
) WITH (
    fillfactor = 10,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_scale_factor = 0
);
ALTER TABLE head ALTER COLUMN edge SET STORAGE EXTERNAL;
INSERT INTO head (id, size, note, edge) VALUES (0, 0, '', '');
-- Sealed openings of subject commitments, which may be erased. id = record index * 128 + position.
CREATE TABLE opening (
    id BIGINT PRIMARY KEY NOT NULL,
    sealed BYTEA NOT NULL
);
