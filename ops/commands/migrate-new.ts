import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { database, flag, type Form, required } from '../values';

/** What follows the number in the name of a migration. */
const verbObject: Form<string> = {
  placeholder: 'verb_object',
  parse(value) {
    if (!/^[a-z0-9]+(?:_[a-z0-9]+)+$/.test(value)) {
      throw new CommandError('usage', 'expected a verb and an object in lower case, such as create_refunds');
    }
    return value;
  },
};

const IN_TRANSACTION = `-- Up Migration
-- What it changes and why; what waits for it, and for how long.

-- Down Migration
-- What takes it back. Nothing to do: say why. Not possible: remove this part.
`;
const WITHOUT_TRANSACTION = `-- Up Migration
-- No transaction: a failure leaves the statements before it done, and the next apply continues there.
CREATE INDEX CONCURRENTLY IF NOT EXISTS name ON billing.table_name (column_name);

-- Down Migration
-- No transaction
DROP INDEX CONCURRENTLY IF EXISTS billing.name;
`;

export const migrateNew = defineCommand({
  name: 'migrate new',
  summary: 'Makes the next numbered migration file, with an up and a down part',
  details: 'It works in the checkout that it is started in, and needs no environment.',
  effect: 'reads',
  isOffline: true,
  changes: 'nothing of the platform; it adds a file to migrations/.',
  json: '`{file}`',
  arguments: {
    database: required(database, 'Database that the migration is for'),
    name: required(verbObject, 'What it does, such as create_refunds'),
  },
  options: {
    concurrently: flag('For CREATE INDEX CONCURRENTLY and other statements that PostgreSQL refuses in a transaction'),
  },
  examples: [
    { line: 'migrate new billing create_receipts', explains: 'Begin a migration.' },
    { line: 'migrate new billing index_receipts --concurrently', explains: 'Begin one that stops no writer.' },
  ],
  async run(_context, { database: target, name, concurrently }) {
    const folder = path.join('migrations', target);
    let files: string[];
    try {
      files = readdirSync(folder).toSorted();
    } catch (cause) {
      throw new CommandError('usage', `There is no folder ${folder} here: change to the top of a checkout`, { cause });
    }
    const number = Number(files.at(-1)?.slice(0, 4) ?? 0) + 1;
    const file = path.join(folder, `${String(number).padStart(4, '0')}_${name}.sql`);
    try {
      writeFileSync(file, concurrently ? WITHOUT_TRANSACTION : IN_TRANSACTION, { flag: 'wx' });
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
      throw new CommandError('failed', `${file} cannot be written (${reason}): check the folder's permissions`, {
        cause,
      });
    }
    return { report: { file }, lines: [file, `Then deploy Operations, and: ops migrate plan ${target}`] };
  },
});
