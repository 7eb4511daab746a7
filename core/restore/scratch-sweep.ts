import { keyToSlot, normaliseSlot, slotToKey } from '../archive/slot';
import { type DatabaseConnector, withConnection } from '../database/connector';
import { dropDatabase, MAINTENANCE_DATABASE } from './new-database';

/** Purpose of a scratch database, and the beginning of its name. */
export type ScratchPurpose = 'drill' | 'row_recovery';

/**
 * Age from which a scratch database is a leftover: longer than the 15 minutes that a function may run, so that a run
 * under way never loses its database; much longer, and the copy of a killed run fills the disk.
 */
const SCRATCH_LIFETIME_MS = 20 * 60 * 1000;

/** Characters of a PostgreSQL name; the server truncates longer ones. */
const LONGEST_NAME = 63;
const LONGEST_TIME = '_20261121t060000z'.length;

/**
 * `drill_billing_20261121t060000z`: the purpose, the live database that it is a copy of, and the start of the run.
 * The live database is named as on the server, because one server may hold those of several environments.
 */
export function scratchName(purpose: ScratchPurpose, liveDatabase: string, startedAt: Date): string {
  return `${scratchPrefix(purpose, liveDatabase)}${slotToKey(normaliseSlot(startedAt)).toLowerCase()}`;
}

function scratchPrefix(purpose: ScratchPurpose, liveDatabase: string): string {
  const plain = liveDatabase.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
  return `${`${purpose}_${plain}`.slice(0, LONGEST_NAME - LONGEST_TIME)}_`;
}

/**
 * Drops the scratch databases of killed runs. Databases with names that {@link scratchName} does not make stay.
 *
 * @returns the start of each of those runs
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function sweepScratch(connector: DatabaseConnector, purpose: ScratchPurpose, at: Date): Promise<Date[]> {
  const prefix = scratchPrefix(purpose, connector.target.database);
  const found = await withConnection(
    connector,
    (client) =>
      client.query<{ name: string }>(
        'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname',
        [prefix],
      ),
    MAINTENANCE_DATABASE,
  );
  const swept: Date[] = [];
  for (const { name } of found.rows) {
    const slot = keyToSlot(name.slice(prefix.length).toUpperCase());
    if (slot === undefined || at.getTime() - Date.parse(slot) <= SCRATCH_LIFETIME_MS) continue;
    await dropDatabase(connector, name);
    swept.push(new Date(slot));
  }
  return swept;
}
