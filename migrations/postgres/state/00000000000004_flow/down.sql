DROP INDEX grants_requester;
DROP TABLE idempotency_keys;
DROP TABLE delegations;
DROP TABLE timers;
DROP TABLE application_approvals;
DROP TABLE application_waits;
DROP TABLE application_events;
DROP TABLE applications;
