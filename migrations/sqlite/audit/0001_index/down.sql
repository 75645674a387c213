DROP TABLE progress;
DROP TABLE subject;
DROP TABLE entry;
