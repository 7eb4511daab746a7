import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/**
 * What the last release reads and writes, by table: its columns with their types. While a deployment is under way, code of
 * that release works on the schema of this one, so nothing of it may be gone. `RELEASE=1` records that of this release.
 */
const FILE = path.join(__dirname, 'released-columns.json');
const ROOT = path.join(__dirname, '../../..');

type Columns = Readonly<Record<string, Readonly<Record<string, string>>>>;
type Released = Readonly<Record<DatabaseName, Columns>>;

/** All words of the code that runs against the databases. */
function wordsOfTheCode(): ReadonlySet<string> {
  const sources = ['core', 'lambdas', 'ops'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(path.join(ROOT, folder, file), 'utf8')),
  );
  return new Set(sources.flatMap((text) => text.match(/[a-z_][a-z0-9_]*/g) ?? []));
}

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
  /** Whether a row can be written that does not name it. */
  readonly optional: boolean;
}

async function columnsOf(database: TestDatabase): Promise<Column[]> {
  const client = await database.client();
  const { rows } = await client.query<Column>(
    `SELECT n.nspname || '.' || c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS "type",
            NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '' AS "optional"
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('billing', 'main', 'operations') AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, a.attname`,
  );
  return rows;
}

function recorded(columns: readonly Column[]): Columns {
  const words = wordsOfTheCode();
  const tables: Record<string, Record<string, string>> = {};
  for (const { table, column, type } of columns) {
    if (words.has(column)) (tables[table] ??= {})[column] = type;
  }
  return tables;
}

describe.each(DATABASE_NAMES)('the schema of %s', (name) => {
  let database: TestDatabase;
  let columns: readonly Column[];
  let released: Columns;

  beforeAll(async () => {
    database = await createTestDatabase(name);
    columns = await columnsOf(database);
    const all = JSON.parse(readFileSync(FILE, 'utf8')) as Released;
    released = process.env.RELEASE ? recorded(columns) : all[name];
    if (process.env.RELEASE) writeFileSync(FILE, `${JSON.stringify({ ...all, [name]: released }, undefined, 2)}\n`);
  });
  afterAll(() => database.drop());

  test('still has every column that the last release names, in the same type', () => {
    const types = new Map(columns.map(({ table, column, type }) => [`${table}.${column}`, type]));
    const now = Object.entries(released).flatMap(([table, of]) =>
      Object.entries(of).map(([column, type]) => [`${table}.${column}`, type, types.get(`${table}.${column}`)]),
    );
    // To take one away: leave it unused for one release, then record that release, then drop it.
    expect(now.filter(([, type, present]) => type !== present)).toEqual([]);
    expect(now.length).toBeGreaterThan(name === 'billing' ? 150 : 10);
  });

  test('has no new column that the last release would have to write', () => {
    const required = columns.filter(
      ({ table, column, optional }) => !optional && released[table] !== undefined && !(column in released[table]),
    );
    expect(required.map(({ table, column }) => `${table}.${column}`)).toEqual([]);
  });
});
