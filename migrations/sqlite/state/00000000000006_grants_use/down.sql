DROP INDEX acts_object;
DROP TABLE quota_people;
ALTER TABLE quota DROP COLUMN people;
