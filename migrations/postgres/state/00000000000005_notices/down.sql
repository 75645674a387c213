DROP TABLE letter_notices;
DROP TABLE letters;
DROP TABLE notices;
