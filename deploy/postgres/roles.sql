-- The roles and schemas of a database that gateways share (docs/replicas.md). Once, by whoever
-- administers the server, in a database made for it:
--
--   createdb --encoding=UTF8 sluice
--   psql --dbname=sluice --file=roles.sql
--   psql --dbname=sluice --command='\password sluice_owner' --command='\password sluice_gateway'
--
-- sluice_owner owns the tables, and only `sluice migrate` is ever that role. sluice_gateway is what
-- gateways are: it gets its rights, table by table, from `sluice migrate`. It can add a record to the
-- log, and can neither change nor delete one.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_owner') THEN
        CREATE ROLE sluice_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_gateway') THEN
        CREATE ROLE sluice_gateway LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
    -- Nobody else has business here, not even to make a table of their own.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO sluice_owner, sluice_gateway', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS sluice_state AUTHORIZATION sluice_owner;
CREATE SCHEMA IF NOT EXISTS sluice_log AUTHORIZATION sluice_owner;
