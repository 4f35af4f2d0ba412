-- Whether it changed what programs use that do not know it: those must not go on beside it.
ALTER TABLE migrations ADD COLUMN alone BOOLEAN NOT NULL DEFAULT FALSE;
