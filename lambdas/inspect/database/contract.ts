import * as z from 'zod';
import { databaseName } from '../../../core/runtime/contract';

const MAX_LISTED = 500;
const listForm = `expected a whole number from 1 to ${MAX_LISTED}`;
/** How many entries a list has. */
export const limit = z
  .int(listForm)
  .min(1, listForm)
  .max(MAX_LISTED, listForm)
  .default(20)
  .describe('Entries to list at most, the newest or largest ones. Default: 20.');

/** Tables by size. */
export const tables = {
  request: z.strictObject({
    action: z.literal('tables').describe('Lists the tables of a database, the largest first.'),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('tables'),
    database: databaseName,
    databaseBytes: z.number(),
    tables: z.array(
      z.strictObject({
        table: z.string().describe('`schema.table`.'),
        bytes: z.number().describe('With its indexes and long values.'),
        indexBytes: z.number(),
        rows: z.number().describe("PostgreSQL's estimate."),
        deadRows: z.number().describe('Rows that VACUUM has yet to remove, by estimate.'),
      }),
    ),
  }),
};

/** Who is connected, and who waits for whom. */
export const sessions = {
  request: z.strictObject({
    action: z
      .literal('sessions')
      .describe('Lists the sessions of a database by user, application and state, and which wait for which.'),
    database: databaseName,
  }),
  report: z.strictObject({
    action: z.literal('sessions'),
    database: databaseName,
    usedPercent: z.number().describe('Of the connections that ordinary users may have.'),
    groups: z.array(
      z.strictObject({
        user: z.string().nullable(),
        application: z.string(),
        state: z.string().nullable().describe('Null where the role of the function may not see it.'),
        sessions: z.int(),
        longestSeconds: z.number().nullable().describe('Since the oldest of them changed its state.'),
      }),
    ),
    waiting: z.array(
      z.strictObject({
        pid: z.int(),
        application: z.string(),
        blockedBy: z.array(z.int()).describe('Process ids of the sessions that it waits for.'),
        seconds: z.number().nullable(),
      }),
    ),
  }),
};

const statement = z
  .string()
  .describe('Its text, at most 300 characters; values are placeholders where it has parameters.');

/** Statements that take long, now and over time. */
export const queries = {
  request: z.strictObject({
    action: z
      .literal('queries')
      .describe(
        'Lists the statements that took most time, those that run now, and those that wait, with what blocks them.',
      ),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('queries'),
    database: databaseName,
    since: z.string().nullable().describe('ISO time from which statements are counted; null where they are not.'),
    slowest: z
      .array(
        z.strictObject({
          statement,
          calls: z.number(),
          totalMs: z.number(),
          meanMs: z.number(),
          rows: z.number(),
          cacheHitPercent: z.number().nullable().describe('Of the pages that it read; null when it read none.'),
        }),
      )
      .nullable()
      .describe('By their total time; null where the server does not count them (pg_stat_statements).'),
    running: z
      .array(
        z.strictObject({
          pid: z.int(),
          user: z.string().nullable(),
          application: z.string(),
          state: z.string(),
          seconds: z.number().describe('Since the statement began.'),
          transactionSeconds: z.number().nullable().describe('Since its transaction began.'),
          waitsFor: z.string().nullable().describe("PostgreSQL's wait event."),
          blockedBy: z.array(z.int()).describe('Process ids of the sessions that it waits for.'),
          statement,
        }),
      )
      .describe('Sessions with a statement or a transaction, the longest first, and those that block one.'),
  }),
};

/** The server behind a database: who it says it is, and whether it is as the platform needs it. */
export const server = {
  request: z.strictObject({
    action: z.literal('server').describe('Answers identity, encryption, version, role and extensions of a database.'),
    database: databaseName,
  }),
  report: z.strictObject({
    action: z.literal('server'),
    database: databaseName,
    identity: z.string().nullable().describe('The name that the database carries; null without a marker.'),
    tls: z.string().nullable().describe('Version of TLS of the connection; null when it is not encrypted.'),
    version: z.string(),
    role: z.strictObject({
      name: z.string(),
      superuser: z.boolean(),
      missing: z.array(z.string()).describe('Privileges that the platform needs and the role lacks.'),
    }),
    publicMayCreate: z.array(z.string()).describe('Schemas in which every role may create objects.'),
    extensions: z.array(
      z.strictObject({
        name: z.string(),
        installed: z.string().nullable(),
        available: z.string().nullable().describe('Version that the server would install; null when it has none.'),
        preloaded: z.boolean().describe('Whether the server loads its library.'),
      }),
    ),
    readOnly: z.boolean().describe('Whether the server takes no writes, such as a replica.'),
  }),
};
