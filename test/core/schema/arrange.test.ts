import { arrange } from '../../../core/schema/text/arrange';
import type { DumpEntry } from '../../../core/schema/text/dump-text';

function entry(name: string, type: string, ...statements: string[]): DumpEntry {
  return { name, type, settings: [], statements };
}

test('what RDS owns itself is left to each server, as is schema public of a database from before PostgreSQL 15', () => {
  const entries = [
    entry('public', 'SCHEMA', 'ALTER SCHEMA public OWNER TO rdsadmin;'),
    entry('shop', 'SCHEMA', 'CREATE SCHEMA shop;', 'ALTER SCHEMA shop OWNER TO shopkeeper;'),
  ];
  const dump = { restrictKey: 'key', versions: '', preamble: [], entries };
  const { before, after } = arrange(dump, { populated: [], commentedExtensions: new Set() });
  expect([...before.entries, ...after.entries].flatMap(({ statements }) => statements)).toEqual([
    'CREATE SCHEMA shop;',
    'ALTER SCHEMA shop OWNER TO shopkeeper;',
  ]);
});
