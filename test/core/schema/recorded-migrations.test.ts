import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_NAMES } from '../../../core/contract';

/**
 * The checksum of each migration when it was first committed. A database that has applied it refuses another text
 * (`migration_edited`), so a change goes into a new file. `RECORD=1` adds new files, and changes no line.
 */
const FILE = path.join(__dirname, 'recorded-migrations.json');
const MIGRATIONS = path.join(__dirname, '../../../migrations');

const checksums = Object.fromEntries(
  DATABASE_NAMES.flatMap((database) =>
    readdirSync(path.join(MIGRATIONS, database)).map((file) => `${database}/${file}`),
  )
    .toSorted()
    .map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(path.join(MIGRATIONS, file)))
        .digest('hex'),
    ]),
);

test('no migration is edited once it was committed, and each new one is recorded', () => {
  const recorded = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>;
  if (process.env.RECORD === '1') {
    Object.assign(recorded, { ...checksums, ...recorded });
    writeFileSync(FILE, `${JSON.stringify(recorded, undefined, 2)}\n`);
  }
  expect(checksums).toEqual(recorded);
});
