-- What others have said of the log's checkpoints. It can be lost without harm to the log, and with
-- it is lost what is not in other hands: keep it with the backups.

-- The newest cosignatures of each witness; `note` is the checkpoint, `line` the witness's signature.
CREATE TABLE cosignature (
    witness TEXT NOT NULL,
    size BIGINT NOT NULL,
    time BIGINT NOT NULL,
    note TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (witness, size)
);
CREATE INDEX cosignature_size ON cosignature (size);
CREATE INDEX cosignature_time ON cosignature (witness, time);
-- Every timestamp (RFC 3161): `token` is the authority's, over `note` as it stands.
CREATE TABLE stamp (
    size BIGINT NOT NULL,
    time BIGINT NOT NULL,
    note TEXT NOT NULL,
    token BLOB NOT NULL,
    PRIMARY KEY (size, time)
);
CREATE INDEX stamp_time ON stamp (time);
