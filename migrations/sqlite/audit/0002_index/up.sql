-- Counts by hour and by day, so that a search over very many records knows where to look and how
-- much there is. An index without this table is thrown away and built anew.
CREATE TABLE tally (
    -- Seconds of the span: 3600, or 86400 for a day in Asia/Shanghai.
    span INTEGER NOT NULL,
    -- The span's first second.
    start INTEGER NOT NULL,
    kind TEXT NOT NULL,
    department TEXT NOT NULL,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    purpose TEXT NOT NULL,
    outcome TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (span, start, kind, department, system, dataset, purpose, outcome)
) WITHOUT ROWID;
