-- What shows that the gateway made the row, under a key that is not in this database. Sessions from
-- before have none, and are over.
ALTER TABLE sessions ADD COLUMN seal TEXT COLLATE "C" NOT NULL DEFAULT '';
