import * as z from 'zod';
import { PERSON_ACCESS } from '../../core/access/contract';
import { text } from './fields';

/** Prefixes of the roles of PostgreSQL, of RDS and of this platform. */
const RESERVED = /^(pg_|rds|billing_|main_|postgres$|public$|none$)/;

const person = z.strictObject({
  user: text(
    'must be 1–63 lower-case letters, digits, `_`, `.` and `-`, starting with a letter',
    /^[a-z][a-z0-9_.-]{0,62}$/,
  )
    .refine((user) => !RESERVED.test(user), 'must not begin as a role of PostgreSQL, RDS or this platform does')
    .describe('Name of the database user, which the log shows with each login: of one person, not of a team.'),
  access: z
    .enum(PERSON_ACCESS, { error: `must be ${PERSON_ACCESS.join(' or ')}` })
    .describe('`readonly`: reads everything but personal data. `service`: changes rows as well.'),
});

/** People who log in to a database by tokens of IAM. */
export const people = z
  .array(person, { error: 'must be a list such as `[{ user: ann, access: readonly }]`' })
  .max(50, 'must name at most 50 people')
  .refine((list) => new Set(list.map(({ user }) => user)).size === list.length, 'must name each user once')
  .default([])
  .describe(
    'People who log in by tokens of IAM, without a password: a list of `user` and `access`, which is `readonly` or `service`. After a deployment, `ops access apply` makes the users of the list, and locks out who left it. On RDS only: [People](people.md).',
  );

/** Resource id of an instance, which IAM names it by and which a recovery changes. */
export const resourceId = text(
  'must be the DbiResourceId of an instance, `db-` and 26 letters and digits',
  /^db-[A-Z0-9]{26}$/,
).optional();
