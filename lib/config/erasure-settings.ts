import * as z from 'zod';
import { formatHooks, HOOK_TREATMENTS } from '../../core/erasure/contract';
import { text } from './fields';

/** The variables of a function have 4 kB together. */
const MAX_HOOK_BYTES = 2_000;

const name = text(
  'must be a name of at most 63 characters, without `.`, `,`, `;`, `:`, `=` and spaces',
  /^[^;,:=.\s]{1,63}$/,
);

const hook = z.strictObject({
  schema: name.describe('Schema of the table.'),
  table: name.describe('Name of the table.'),
  column: name.describe('Column that holds something of a user.'),
  treatment: z
    .enum(HOOK_TREATMENTS, { error: `must be one of ${HOOK_TREATMENTS.join(', ')}` })
    .describe(
      '`drop`: NULL. `blank`: the text `erased`, with random digits behind it where the column is UNIQUE. `pseudonymise`: the same keyed hash in all rows of the user. `delete-row`: the row is deleted.',
    ),
  userColumn: name.describe('Column of the table that holds the id of the user, as in the metadata at Stripe.'),
});

/** A row may be of two people, such as who sent a message and who got it: its columns are erased with either. */
const columnOf = ({ schema, table, userColumn, column }: z.output<typeof hook>) =>
  [schema, table, userColumn, column].join('.');

/** What is erased from the main database, whose tables are the company's. */
export const erasure = z.strictObject({
  main: z
    .array(hook, { error: 'must be a list of columns' })
    .default([])
    .refine((hooks) => Buffer.byteLength(formatHooks(hooks)) <= MAX_HOOK_BYTES, {
      error: `must be at most ${MAX_HOOK_BYTES} characters, as schema.table.userColumn:column=treatment`,
    })
    .refine(
      (hooks) => new Set(hooks.map(columnOf)).size === hooks.length,
      'must name each column once for each userColumn',
    )
    .describe('Columns of the main database that hold something of a user. Left out: none.'),
});
