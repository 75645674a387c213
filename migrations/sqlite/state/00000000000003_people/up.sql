-- Accounts of people, how they show who they are, and where they are signed in.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    -- The natural person, by personnel number: several accounts may be one person's.
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    department TEXT NOT NULL,
    email TEXT,
    lang TEXT NOT NULL CHECK (lang IN ('zh-CN', 'en')),
    active BOOLEAN NOT NULL,
    -- Argon2id, with its parameters and salt.
    password TEXT,
    -- For a one-time password, until when it may be used; none for one that the person chose.
    password_until BIGINT,
    -- The secret of the code generator, sealed; `code_step` is the last step whose code was used.
    code_secret TEXT,
    code_pending TEXT,
    code_step BIGINT NOT NULL DEFAULT 0,
    -- The subject at another authority (OpenID Connect), for who signs in there.
    oidc_issuer TEXT,
    oidc_subject TEXT,
    UNIQUE (oidc_issuer, oidc_subject)
);
CREATE INDEX accounts_person ON accounts (person);
CREATE INDEX accounts_department ON accounts (department);

CREATE TABLE account_roles (
    account TEXT NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL,
    PRIMARY KEY (account, role)
);

-- Certificates that people sign in with, by the SHA-256 of the public key.
CREATE TABLE account_keys (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id)
);

-- `token` is the SHA-256 of what the cookie holds: who reads this table cannot sign in with it.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id),
    means TEXT NOT NULL,
    since BIGINT NOT NULL,
    used BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
