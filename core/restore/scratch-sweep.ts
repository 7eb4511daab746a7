import { type DatabaseConnector, withConnection } from '../database/connector';
import { dropDatabase, MAINTENANCE_DATABASE } from './new-database';
import { type ScratchPurpose, scratchPrefix, startOfScratch } from './scratch-names';

/**
 * Age from which a scratch database is a leftover: longer than the 15 minutes that a function may run, so that a run
 * under way never loses its database; much longer, and the copy of a killed run fills the disk.
 */
const SCRATCH_LIFETIME_MS = 20 * 60 * 1000;

/**
 * Drops the scratch databases of killed runs. Databases with names that `scratchName` does not make stay.
 *
 * @returns the start of each of those runs
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function sweepScratch(connector: DatabaseConnector, purpose: ScratchPurpose, at: Date): Promise<Date[]> {
  const live = connector.target.database;
  const found = await withConnection(
    connector,
    (client) =>
      client.query<{ name: string }>(
        'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname',
        [scratchPrefix(purpose, live)],
      ),
    MAINTENANCE_DATABASE,
  );
  const swept: Date[] = [];
  for (const { name } of found.rows) {
    const slot = startOfScratch(purpose, live, name);
    if (slot === undefined || at.getTime() - Date.parse(slot) <= SCRATCH_LIFETIME_MS) continue;
    await dropDatabase(connector, name);
    swept.push(new Date(slot));
  }
  return swept;
}
