-- MySQL commits each statement, so what a killed migration has done stays: every statement can run again.
CREATE TABLE IF NOT EXISTS visits (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  total BIGINT UNSIGNED NOT NULL
);
INSERT IGNORE INTO visits (id, total) VALUES (1, 0);
