import type { Client } from 'pg';
import { qualified } from '../../archive/copy-session';
import { LARGE_OBJECT_PIECES } from '../../archive/keys';
import { withConnection } from '../../database/connector';
import { OperationError } from '../../runtime/errors';
import type { SchemaFacts } from '../../schema/contract';
import { commitRows } from '../load';
import { loadPieces } from '../large-objects';
import { prepareWriter } from '../load-into';
import { loadPart } from '../load-part';
import { isFrozen, type TableLoad } from '../load-plan';
import type { RestoreDependencies } from '../restore-phases';
import type { VerifiedObjects } from '../verified-objects';
import { claimSteps, recordStep } from './journal';

/**
 * Loads the tables, or the parts of tables, of one group. The rows of a part are there once or not at all: they are recorded
 * in their transaction, and a repeated call leaves out what is recorded.
 *
 * @param name of the database that is being restored
 * @param stop aborted when the call has to end
 * @returns rows that this call has loaded
 * @throws OperationError `archive_damaged` naming the object, `archive_inconsistent`, `disk_full`; and, retryable,
 * `copy_failed` when the time of the call is over, `store_unavailable`, `database_unavailable`
 */
export async function loadGroup(
  { connector }: Pick<RestoreDependencies, 'connector'>,
  objects: VerifiedObjects,
  facts: SchemaFacts,
  name: string,
  {
    group,
    number,
    stop,
  }: { readonly group: readonly TableLoad[]; readonly number: number; readonly stop: AbortSignal },
): Promise<number> {
  return withConnection(
    connector,
    async (client) => {
      await prepareWriter(client, facts);
      let rows = 0;
      for (const load of group) {
        rows += await loadOnce(objects, client, load, stop).catch((cause: unknown) => {
          throw stop.aborted ? outOfTime(load, cause) : cause;
        });
      }
      // Commits before it need not wait for the disk; with this one, they are there.
      await client.query('SET synchronous_commit = on');
      await client.query(recordStep(`group:${number}`));
      return rows;
    },
    name,
  );
}

/** What was loaded before is kept. */
function outOfTime({ table }: TableLoad, cause: unknown): OperationError {
  const message = `The call ran out of time while it loaded ${table.schema}.${table.name}: the next one continues`;
  return new OperationError('copy_failed', message, { cause });
}

/** Step of a part, which records its rows. */
export function partStep({ key }: { readonly key: string }): string {
  return `part:${key}`;
}

async function loadOnce(
  objects: VerifiedObjects,
  client: Client,
  load: TableLoad,
  signal: AbortSignal,
): Promise<number> {
  const { table, parts } = load;
  await client.query('BEGIN');
  const claimed = await claimSteps(
    client,
    Object.fromEntries(parts.map((part) => [partStep(part), { rows: part.rows }])),
  );
  if (claimed.size === 0) {
    await client.query('COMMIT');
    return 0;
  }
  // A catalog of the server, which cannot be truncated.
  const isPieces = table.name === LARGE_OBJECT_PIECES.name && table.schema === LARGE_OBJECT_PIECES.schema;
  const freeze = !isPieces && isFrozen(load);
  if (freeze) await client.query(`TRUNCATE ONLY ${qualified(table)}`);
  // An earlier version of this code may have grouped the parts otherwise, and loaded some. What was truncated is loaded whole.
  const due = freeze ? parts : parts.filter((part) => claimed.has(partStep(part)));
  for (const part of due) {
    if (isPieces) await loadPieces(objects, client, table, part);
    else await loadPart(objects, client, table, part, { signal, freeze });
  }
  await commitRows(client, table);
  return due.reduce((sum, part) => sum + part.rows, 0);
}
