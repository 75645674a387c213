DROP TABLE opening;
DROP TABLE head;
DROP TABLE checkpoint;
DROP TABLE tile;
DROP TABLE record;
