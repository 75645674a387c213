-- Searches of the log that somebody keeps, each under a name of its own. `query` is what an address asks
-- for, parsed and written anew; it names nobody.
CREATE TABLE saved_searches (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    query TEXT COLLATE "C" NOT NULL,
    saved_at BIGINT NOT NULL,
    UNIQUE (account, name)
);
