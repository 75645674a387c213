DROP TRIGGER application_waits_due;
DROP INDEX application_waits_due;
ALTER TABLE application_waits DROP COLUMN due_on;
