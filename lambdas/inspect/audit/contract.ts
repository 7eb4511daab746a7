import * as z from 'zod';
import { databaseName, isoTime } from '../../../core/runtime/contract';
import { limit } from '../database/contract';

/** What the tables of a database record about who did what. */
export const records = {
  request: z.strictObject({
    action: z
      .literal('records')
      .describe('Lists what the tables of a database record about who did what, the newest first. No personal data.'),
    database: databaseName,
    since: isoTime.describe('Only from this ISO time on.'),
    until: isoTime.describe('Only before this ISO time.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('records'),
    database: databaseName,
    records: z.array(
      z.strictObject({
        at: isoTime,
        kind: z.enum(['keys', 'owners', 'erasures', 'payouts', 'payments', 'migrations', 'rows']),
        who: z.string().nullable().describe('Null where the table does not say.'),
        what: z.string(),
        about: z.string().describe('Id of the object.'),
      }),
    ),
  }),
};
