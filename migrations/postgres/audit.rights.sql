-- What the gateway's role may do with the log: add to it, and erase openings. Of the rest it can
-- change the head alone, under which everything else is signed. Run anew by every `sluice migrate`.

REVOKE ALL ON ALL TABLES IN SCHEMA sluice_log FROM PUBLIC, sluice_gateway;
GRANT USAGE ON SCHEMA sluice_log TO sluice_gateway;
GRANT SELECT ON __diesel_schema_migrations TO sluice_gateway;
GRANT SELECT, INSERT ON record, tile, checkpoint TO sluice_gateway;
GRANT SELECT, INSERT, DELETE ON opening TO sluice_gateway;
GRANT SELECT ON head TO sluice_gateway;
GRANT UPDATE (size, note, edge) ON head TO sluice_gateway;
