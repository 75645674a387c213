DROP TABLE emergencies;
DROP TABLE emergency_enrolments;
DROP INDEX acts_object;
DROP TABLE quota_people;
ALTER TABLE quota DROP COLUMN people;
