DROP TABLE sessions;
DROP TABLE account_keys;
DROP TABLE account_roles;
DROP TABLE accounts;
