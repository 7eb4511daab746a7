import type { ClientBase } from 'pg';
import type { MigrationPart } from '../../core/migrations/parts';
import { messageOf } from '../../core/runtime/errors';
import { readLocks, readTables, stoppedBy, strength, type TableSize, type TableState } from './catalog';
import type { ExaminedMigration, ExaminedStatement } from './contract';

/**
 * Bytes of a table a second, for estimates: what a db.t4g or db.m7g with gp3 storage manages beside ordinary load. A server
 * that is busy, or whose burst credits are used up, takes several times as long.
 */
const SCAN_BYTES_PER_SECOND = 100e6;
const WRITE_BYTES_PER_SECOND = 30e6;
/** Statements that write rows, whatever the catalogs say. */
const WRITES_ROWS = /^(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE|WITH|DO)\b/i;
const REMOVES_ROWS = /^(?:DELETE|TRUNCATE)\b/i;

type Tables = ReadonlyMap<string, TableState>;
type Sizes = ReadonlyMap<string, TableSize>;

/**
 * Runs a part of a migration in a database without rows and answers what PostgreSQL locked, rewrote, read and dropped for
 * each statement, weighed by the sizes of the tables in use. The part stays applied there, for the next one.
 */
export async function examine(
  client: ClientBase,
  name: string,
  { statements, inTransaction }: MigrationPart,
  sizes: Sizes,
): Promise<ExaminedMigration> {
  const existing = await readTables(client);
  const examined: ExaminedStatement[] = [];
  let before: Tables = existing;
  let held: ReadonlyMap<string, string> = new Map();
  let fails: string | null = null;
  if (inTransaction) await client.query('BEGIN');
  try {
    for (const sql of statements) {
      await client.query(sql);
      const [after, locks] = [await readTables(client), inTransaction ? await readLocks(client) : held];
      examined.push({
        sql,
        locks: [...locks].flatMap(([oid, mode]) => {
          const table = existing.get(oid)?.name;
          const isNew = strength(mode) > strength(held.get(oid)) && strength(mode) >= strength('RowExclusiveLock');
          return table !== undefined && isNew ? [{ table, mode, stops: stoppedBy(mode) }] : [];
        }),
        seconds: secondsOf(sql, before, after, locks, sizes),
        loses: lossesOf(sql, before, after, existing, sizes),
      });
      [before, held] = [after, locks];
    }
    if (inTransaction) await client.query('COMMIT');
  } catch (error) {
    fails = messageOf(error);
    if (inTransaction) await client.query('ROLLBACK').catch(() => undefined);
  }
  return { name, inTransaction, statements: examined, blocked: blockedIn(examined), fails };
}

/** Each table waits from the statement that locks it to the end of the migration. */
function blockedIn(statements: readonly ExaminedStatement[]): ExaminedMigration['blocked'] {
  const blocked = new Map<string, ExaminedMigration['blocked'][number]>();
  statements.forEach(({ locks }, index) => {
    const seconds = statements.slice(index).reduce((sum, each) => sum + each.seconds, 0);
    for (const { table, stops } of locks) {
      if (stops === 'nothing') continue;
      const known = blocked.get(table);
      const isStronger = stops === 'reads and writes';
      blocked.set(table, {
        table,
        stops: isStronger ? stops : (known?.stops ?? stops),
        seconds: Math.max(known?.seconds ?? 0, seconds),
      });
    }
  });
  return [...blocked.values()];
}

function secondsOf(
  sql: string,
  before: Tables,
  after: Tables,
  locks: ReadonlyMap<string, string>,
  sizes: Sizes,
): number {
  let seconds = 0;
  for (const [oid, { name, file, indexes, validated, columns }] of before) {
    const bytes = sizes.get(name)?.bytes ?? 0;
    const now = after.get(oid);
    if (now === undefined) continue;
    const isRewritten = now.file !== file && !/^TRUNCATE\b/i.test(sql);
    const isWritten = WRITES_ROWS.test(sql) && locks.get(oid) === 'RowExclusiveLock';
    const newIndexes = now.indexes.filter((index) => !indexes.includes(index)).length;
    const isRead =
      now.validated.some((constraint) => !validated.includes(constraint)) ||
      Object.entries(now.columns).some(([number, { notNull }]) => notNull && columns[number]?.notNull === false);
    if (isRewritten || isWritten) seconds += bytes / WRITE_BYTES_PER_SECOND;
    seconds += (newIndexes * bytes) / WRITE_BYTES_PER_SECOND;
    if (isRead) seconds += bytes / SCAN_BYTES_PER_SECOND;
  }
  return seconds;
}

function lossesOf(sql: string, before: Tables, after: Tables, existing: Tables, sizes: Sizes): string[] {
  const losses: string[] = [];
  const rows = (table: string): string => `about ${Math.round(sizes.get(table)?.rows ?? 0).toLocaleString('en')} rows`;
  for (const [oid, table] of before) {
    // What the migration itself made holds nothing yet.
    if (!existing.has(oid)) continue;
    const now = after.get(oid);
    if (now === undefined) {
      losses.push(`table ${table.name} with ${rows(table.name)}`);
      continue;
    }
    for (const [number, { name, type }] of Object.entries(table.columns)) {
      const column = now.columns[number];
      if (column === undefined) losses.push(`column ${name} of ${table.name}, in ${rows(table.name)}`);
      else if (column.type !== type) {
        losses.push(`values of column ${name} of ${table.name} that ${column.type} does not hold as ${type} did`);
      }
    }
  }
  if (REMOVES_ROWS.test(sql)) losses.push('the rows that the statement names');
  return losses;
}
