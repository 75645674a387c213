-- Searches of the log that somebody keeps, each under a name of its own. `query` is what an address asks
-- for, parsed and written anew; it names nobody.
CREATE TABLE saved_searches (
    id INTEGER NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    UNIQUE (account, name)
);
