-- Attempts to sign in: what the wait before the next one is worked out from. `mark` is a keyed hash
-- of the account that was named and of where the attempt came from; its first bits are the slot, so
-- that there are never more rows than slots.
CREATE TABLE attempts (
    slot INTEGER NOT NULL PRIMARY KEY,
    mark BLOB NOT NULL,
    count INTEGER NOT NULL,
    last BIGINT NOT NULL
);
