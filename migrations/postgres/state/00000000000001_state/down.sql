DROP TABLE quota;
DROP TABLE acts;
DROP TABLE system_keys;
DROP TABLE versions;
DROP TABLE revision;
