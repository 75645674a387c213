-- Notices, written in the transaction of the change that they tell of, and the letters that carry
-- them. Nothing here was typed by a person: ids, codes, days.

CREATE TABLE notices (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    urgency TEXT COLLATE "C" NOT NULL CHECK (urgency IN ('immediate', 'digest')),
    created_at BIGINT NOT NULL,
    -- The newest act at that time: a notice leaves once the log has recorded it and all before it.
    act BIGINT NOT NULL,
    addressed_at BIGINT
);
CREATE INDEX notices_waiting ON notices (seq) WHERE addressed_at IS NULL;

-- What goes to one account by mail, or to one department's webhook, in one piece.
CREATE TABLE letters (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL CHECK (channel IN ('mail', 'webhook')),
    address TEXT COLLATE "C" NOT NULL,
    digest BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Nobody touches it before: it is being sent, or it failed and waits.
    next_try BIGINT NOT NULL,
    sent_at BIGINT,
    parked_at BIGINT
);
CREATE INDEX letters_open ON letters (channel, address, id) WHERE sent_at IS NULL AND parked_at IS NULL;

CREATE TABLE letter_notices (
    letter BIGINT NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
    notice BIGINT NOT NULL REFERENCES notices (seq) ON DELETE CASCADE,
    PRIMARY KEY (letter, notice)
);
CREATE INDEX letter_notices_notice ON letter_notices (notice);
