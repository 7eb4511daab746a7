import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import type { ErasureHook } from '../../core/erasure/contract';
import type { Erasures } from '../../core/erasure/ledger';
import { isOfErasedUser, userParameters } from '../../core/erasure/treatment';
import { temporaryName } from './compare';
import type { LiveTable } from './tables';

/**
 * Drops the copied former rows of people who were erased since: a report must not hold them, and a merge not bring them back. Which
 * rows these are the live database knows of billing, and the hooks say of main.
 *
 * @param live session with the copies
 */
export async function leaveOutErased(
  live: ClientBase,
  table: LiveTable,
  index: number,
  { key, entries }: Erasures,
  hooks: readonly ErasureHook[],
): Promise<void> {
  if (entries.length === 0) return;
  const copies = temporaryName(index);
  if (table.schema === 'billing') {
    await live.query(`DELETE FROM ${copies} AS row WHERE billing.is_row_of_erased($1, to_jsonb(row))`, [table.name]);
    return;
  }
  const userColumns = new Set(
    hooks
      .filter(({ schema, table: name }) => schema === table.schema && name === table.name)
      .map((hook) => hook.userColumn),
  );
  const users = entries.flatMap(({ subjects }) => subjects.filter(({ kind }) => kind === 'user'));
  for (const column of userColumns) {
    await live.query(`DELETE FROM ${copies} AS row WHERE ${isOfErasedUser('row', column)}`, [
      ...userParameters(key, users),
    ]);
  }
}

/**
 * How many erasures of the ledger {@link leaveOutErased} leaves out: in billing only those whose tombstones are stored, which an
 * erasure that is under way does after it has appended to the ledger.
 *
 * @param live session in the transaction of the comparison
 */
export async function leftOutErasures(
  live: ClientBase,
  database: DatabaseName,
  { entries }: Erasures,
): Promise<number> {
  if (database !== 'billing' || entries.length === 0) return entries.length;
  const { rows } = await live.query<{ stored: number }>(
    'SELECT count(*)::int AS stored FROM billing.erasures WHERE id = ANY ($1)',
    [entries.map(({ id }) => id)],
  );
  return rows[0]?.stored ?? 0;
}
