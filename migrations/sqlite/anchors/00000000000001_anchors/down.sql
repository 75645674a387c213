DROP TABLE stamp;
DROP TABLE cosignature;
