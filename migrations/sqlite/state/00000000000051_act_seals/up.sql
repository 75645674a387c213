-- What shows that a program with the gateway's keys did the act, under a key that is not in this database.
-- Acts of a program of the release before have none.
ALTER TABLE acts ADD COLUMN seal TEXT;
