-- What the gateway's role may do with the state: what it does, and nothing else. Run anew by every
-- `sluice migrate`.

REVOKE ALL ON ALL TABLES IN SCHEMA sluice_state FROM PUBLIC, sluice_gateway;
GRANT USAGE ON SCHEMA sluice_state TO sluice_gateway;

GRANT SELECT ON ALL TABLES IN SCHEMA sluice_state TO sluice_gateway;

-- What happened stays: added, and never changed.
GRANT INSERT ON versions, application_events, application_approvals TO sluice_gateway;

-- What stands in one row changes in that row alone.
GRANT UPDATE (value) ON revision TO sluice_gateway;
GRANT INSERT, UPDATE (revoked_at) ON system_keys TO sluice_gateway;
GRANT INSERT, UPDATE (log_index, seal) ON acts TO sluice_gateway;
GRANT INSERT, UPDATE (ended_at) ON delegations TO sluice_gateway;
GRANT INSERT, UPDATE ON quota, grants, accounts, applications, emergency_enrolments, emergencies
    TO sluice_gateway;

-- What is over is forgotten.
GRANT INSERT, DELETE ON quota_people, account_roles, account_keys, application_waits, timers, idempotency_keys,
    letter_notices, saved_searches TO sluice_gateway;
GRANT INSERT, DELETE, UPDATE (addressed_at) ON notices TO sluice_gateway;
GRANT INSERT, DELETE, UPDATE ON sessions, letters, attempts TO sluice_gateway;
GRANT INSERT, DELETE, UPDATE (state, decided_by, decided_at) ON consents TO sluice_gateway;
