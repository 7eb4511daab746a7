/** A migration with tables of every column type, and names that need quoting. */
export const EVERY_KIND_OF_TABLE = `
  CREATE SCHEMA "Odd. Schema/é";
  CREATE TYPE "Odd. Schema/é"."mood ""x""" AS ENUM ('so so', 'it''s \\ fine');
  CREATE DOMAIN "Odd. Schema/é".cents AS bigint CHECK (VALUE >= 0);
  CREATE TYPE "Odd. Schema/é".pair AS (a int, b text);
  CREATE TABLE "Odd. Schema/é"."select ""from"" %; DROP" ("a b" int PRIMARY KEY, "Größe" text, "q""q" text);
  CREATE TABLE "Odd. Schema/é".types (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doubled bigint GENERATED ALWAYS AS (id * 2) STORED,
    i2 smallint, i4 integer, i8 bigint, n numeric, f4 real, f8 double precision, m money, b boolean,
    t text, c char(5), v varchar(9), y bytea, d date, tm time, tz timetz, ts timestamp, tsz timestamptz, iv interval,
    u uuid, j json, jb jsonb, x xml, ip inet, mac macaddr, bits bit varying, pt point, r int4range, mr int4multirange, arr text[][],
    e "Odd. Schema/é"."mood ""x""", dom "Odd. Schema/é".cents, comp "Odd. Schema/é".pair, reg regclass, tv tsvector, lsn pg_lsn
  );
  CREATE TABLE "Odd. Schema/é".empty_table (id int);
  CREATE TABLE "Odd. Schema/é".no_columns ();
  CREATE TABLE "Odd. Schema/é".events (at timestamptz NOT NULL, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
  CREATE TABLE "Odd. Schema/é".events_2025 PARTITION OF "Odd. Schema/é".events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE "Odd. Schema/é".events_2026 PARTITION OF "Odd. Schema/é".events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE TABLE "Odd. Schema/é".parent (id int);
  CREATE TABLE "Odd. Schema/é".child (extra text) INHERITS ("Odd. Schema/é".parent);
  CREATE SEQUENCE "Odd. Schema/é"."Counter" START 100 INCREMENT 5;
  CREATE TABLE "Odd. Schema/é".referring (of int NOT NULL REFERENCES "Odd. Schema/é"."select ""from"" %; DROP" ("a b"), at timestamptz);
  CREATE FUNCTION "Odd. Schema/é".stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
  CREATE TRIGGER "stamps; all" BEFORE INSERT ON "Odd. Schema/é".referring FOR EACH ROW EXECUTE FUNCTION "Odd. Schema/é".stamp();
  CREATE SEQUENCE "Odd. Schema/é".untouched;`;

/** Rows of these tables, with values that are easily corrupted. */
export const EVERY_KIND_OF_VALUE = `
  SET search_path = "Odd. Schema/é";
  INSERT INTO "select ""from"" %; DROP" VALUES (1, E'tab\\there\\nnewline\\\\back\\rreturn', '\\.'), (2, NULL, '\\N'), (3, '', 'é😀');
  INSERT INTO types (i2, i4, i8, n, f4, f8, m, b, t, c, v, y, d, tm, tz, ts, tsz, iv, u, j, jb, x, ip, mac, bits, pt, r, mr, arr, e, dom, comp, reg, tv, lsn)
  VALUES (-32768, 2147483647, -9223372036854775808, 'NaN', '1.17549435e-38', 'Infinity', 1234567.89, true, repeat('x', 100000), 'ab', 'v',
    '\\x00ff0a5c', 'infinity', '24:00', '12:00+05:30', '0044-03-15 BC', '2026-03-29 01:30:00+00', '1 year -2 days 03:04:05.678', gen_random_uuid(),
    '{"a" : 1}', '{"b": [null, "\\\\"]}', '<a>b</a>', '2001:db8::/32', '08:00:2b:01:02:03', B'1011', '(1.5,-2)', '[1,10)', '{[1,3), [5,7)}', '{{"a,b",NULL},{"\\"q\\"","NULL"}}',
    'it''s \\ fine', 5, ROW(1, 'x,"y'), 'types', 'a:1 b:2', '16/B374D848'),
    (NULL, NULL, NULL, 123456789012345678901234567890.123456789, 0.3333333, 0.30000000000000004, NULL, NULL, NULL, NULL, NULL, '', '-infinity', NULL, NULL, NULL, '0001-01-01 00:00:00+00 BC', '-1 mon',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'empty', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL);
  INSERT INTO referring VALUES (1), (3);
  INSERT INTO no_columns DEFAULT VALUES;
  INSERT INTO no_columns DEFAULT VALUES;
  INSERT INTO events VALUES ('2025-06-01', 'old'), ('2026-06-01', 'new');
  INSERT INTO parent VALUES (1);
  INSERT INTO child VALUES (2, 'two');
  SELECT nextval('"Counter"'), nextval('"Counter"');
  RESET search_path;`;
