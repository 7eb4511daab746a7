import type { DatabaseLogMetricName } from '../../../lib/config/database-log-metrics';

/** A record of pgaudit without its prefix, and what counts it when a person made it. */
export interface PgauditRecord {
  /**
   * As pgaudit 1.7 wrote it on PostgreSQL 15, with `pgaudit.log = 'ddl,role,write'`, or with the settings of people where it names a
   * table of billing. Only the first line, if there are more.
   */
  readonly text: string;
  /** In billing. @default - nothing */
  readonly counted?: DatabaseLogMetricName;
}

/** From a real server, but for the two with a comment that says otherwise. The last six contain what looks like another line. */
export const PGAUDIT_RECORDS: readonly PgauditRecord[] = [
  { text: 'DDL,CREATE TABLE,,,"CREATE TABLE a (id int, note text);",<not logged>', counted: 'SchemaChangesByHand' },
  { text: 'DDL,ALTER TABLE,,,ALTER TABLE kept ADD COLUMN x int;,<not logged>', counted: 'SchemaChangesByHand' },
  { text: 'DDL,CREATE TABLE AS,,,CREATE TEMP TABLE t AS SELECT 1;,<not logged>', counted: 'SchemaChangesByHand' },
  { text: 'DDL,DROP TABLE,,,DROP TABLE a,<not logged>', counted: 'SchemaChangesByHand' },
  { text: 'DDL,DROP DATABASE,,,DROP DATABASE x;,<not logged>', counted: 'SchemaChangesByHand' },
  // Not recorded: with the extension created, pgaudit names the object, as its README shows.
  { text: 'DDL,CREATE TABLE,TABLE,public.a,CREATE TABLE a (),<not logged>', counted: 'SchemaChangesByHand' },
  {
    text: 'ROLE,CREATE ROLE,,,CREATE ROLE someone LOGIN PASSWORD <REDACTED>,<not logged>',
    counted: 'PrivilegeChangesByHand',
  },
  { text: 'ROLE,GRANT,,,GRANT SELECT ON a TO someone;,<not logged>', counted: 'PrivilegeChangesByHand' },
  { text: 'ROLE,GRANT ROLE,,,GRANT pg_read_all_data TO someone;,<not logged>', counted: 'PrivilegeChangesByHand' },
  { text: 'ROLE,REVOKE,,,REVOKE SELECT ON a FROM someone;,<not logged>', counted: 'PrivilegeChangesByHand' },
  { text: 'ROLE,DROP ROLE,,,DROP ROLE someone;,<not logged>', counted: 'PrivilegeChangesByHand' },
  // What AWS's rotation runs, recorded with another name of the user.
  { text: 'ROLE,ALTER ROLE,,,ALTER USER billing_admin WITH PASSWORD <REDACTED>,<not logged>' },
  { text: 'WRITE,DELETE,,,"DELETE FROM a', counted: 'DeletionsByHand' },
  { text: 'WRITE,DELETE,,,DELETE FROM kept,<not logged>', counted: 'DeletionsByHand' },
  { text: 'WRITE,TRUNCATE TABLE,,,TRUNCATE a;,<not logged>', counted: 'DeletionsByHand' },
  {
    text: 'WRITE,DELETE,TABLE,billing.charges,DELETE FROM billing.charges USING billing.customers AS u WHERE u.id = customer_id;,<not logged>',
    counted: 'DeletionsByHand',
  },
  {
    text: 'READ,SELECT,TABLE,billing.customers,DELETE FROM billing.charges USING billing.customers AS u WHERE u.id = customer_id;,<not logged>',
  },
  { text: 'READ,SELECT,TABLE,billing.customers,"SELECT email' },
  { text: 'WRITE,COPY,,,COPY b FROM STDIN;,<not logged>' },
  ...['DDL,ALTER TABLE', 'ROLE,GRANT', 'WRITE,DELETE'].map((text) => ({
    text: `READ,SELECT,TABLE,billing.customers,"SELECT ',${text},' FROM billing.customers;",<not logged>`,
  })),
  {
    text: `WRITE,INSERT,,,"INSERT INTO a VALUES (1, ',DDL,CREATE TABLE, and ,ROLE,GRANT'), (2, 'duration: 9 ms');",<not logged>`,
  },
  { text: `WRITE,UPDATE,,,"UPDATE kept SET note = 'TRUNCATE ,WRITE,DELETE,';",<not logged>` },
  // Not recorded, but written in the same form.
  {
    text: `WRITE,INSERT,,,"INSERT INTO a VALUES ('connection authorized: user=billing_admin application_name=psql ')",<not logged>`,
  },
];
