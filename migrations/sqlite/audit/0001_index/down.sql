DROP TABLE progress;
DROP TABLE subject;
DROP TABLE act;
DROP TABLE request;
DROP TABLE block;
DROP TABLE actor;
DROP TABLE sort;
