import * as z from 'zod';
import { DATABASE_NAMES } from '../contract';

/** Fields of a request that says which archive of which database is meant; errors name the expected form. */
export const archiveChoice = {
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  archive: z
    .literal('latest')
    .or(
      z.iso.datetime({ offset: true, error: '`latest`, or the ISO time of an archive such as 2026-11-21T06:00:00Z' }),
    ),
  notAfter: z.iso.datetime({ offset: true, error: 'an ISO time such as 2026-11-21T05:55:00Z' }).optional(),
};
