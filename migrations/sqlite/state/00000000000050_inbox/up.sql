-- What waits for whom, in the order in which it is due: a page of it is read from an index. Without
-- a last day it comes behind all that have one.
--
-- The day is kept by the database itself. A gateway of the version before, which may still write
-- beside a new one, knows nothing of it. It writes an application's waits anew whenever its last day
-- changes, and that day first.
ALTER TABLE application_waits ADD COLUMN due_on TEXT NOT NULL DEFAULT '9999-12-31';
UPDATE application_waits SET due_on =
    COALESCE((SELECT a.due_on FROM applications a WHERE a.id = application_waits.application), '9999-12-31');
CREATE INDEX application_waits_due ON application_waits (department, role, due_on, application);

CREATE TRIGGER application_waits_due AFTER INSERT ON application_waits
BEGIN
    UPDATE application_waits SET due_on =
        COALESCE((SELECT a.due_on FROM applications a WHERE a.id = NEW.application), '9999-12-31')
    WHERE department = NEW.department AND role = NEW.role AND application = NEW.application;
END;
