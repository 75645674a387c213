-- Accounts of people, how they show who they are, and where they are signed in.

CREATE TABLE accounts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The natural person, by personnel number: several accounts may be one person's.
    person TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    department TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    lang TEXT COLLATE "C" NOT NULL CHECK (lang IN ('zh-CN', 'en')),
    active BOOLEAN NOT NULL,
    -- Argon2id, with its parameters and salt.
    password TEXT COLLATE "C",
    -- For a one-time password, until when it may be used; none for one that the person chose.
    password_until BIGINT,
    -- The secret of the code generator, sealed; `code_step` is the last step whose code was used.
    code_secret TEXT COLLATE "C",
    code_pending TEXT COLLATE "C",
    code_step BIGINT NOT NULL DEFAULT 0,
    -- The subject at another authority (OpenID Connect), for who signs in there.
    oidc_issuer TEXT COLLATE "C",
    oidc_subject TEXT COLLATE "C",
    UNIQUE (oidc_issuer, oidc_subject)
);
CREATE INDEX accounts_person ON accounts (person);
CREATE INDEX accounts_department ON accounts (department);

CREATE TABLE account_roles (
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    role TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, role)
);

-- Certificates that people sign in with, by the SHA-256 of the public key.
CREATE TABLE account_keys (
    fingerprint TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id)
);

-- `token` is the SHA-256 of what the cookie holds: who reads this table cannot sign in with it.
CREATE TABLE sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    token TEXT COLLATE "C" NOT NULL UNIQUE,
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    means TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    used BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
