import { escapeIdentifier } from 'pg';
import { keyToSlot, normaliseSlot, slotToKey } from '../archive/slot';
import { type DatabaseConnector, withConnection } from '../database/connector';
import { MAINTENANCE_DATABASE } from './scratch-database';

/** What a scratch database is for; the beginning of its name. */
export type ScratchPurpose = 'drill' | 'row_recovery';

/**
 * Milliseconds after which a scratch database belongs to nobody: longer than the 15 minutes that a function may run,
 * so that a run under way never loses its database; much longer, and a killed run's copy fills the disk.
 */
const SCRATCH_LIFETIME_MS = 20 * 60 * 1000;

/** Characters that a PostgreSQL name keeps; it cuts off the others without a word. */
const LONGEST_NAME = 63;
const LONGEST_TIME = '_20261121t060000z'.length;

/**
 * `drill_billing_20261121t060000z`: says what it is for, which live database it is a copy of, and when it was begun.
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
 * Drops the scratch databases that killed runs left behind. Names that {@link scratchName} does not make are left alone.
 *
 * @returns when each of those runs had begun
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function sweepScratch(connector: DatabaseConnector, purpose: ScratchPurpose, now: Date): Promise<Date[]> {
  const prefix = scratchPrefix(purpose, connector.target.database);
  return withConnection(
    connector,
    async (client) => {
      const found = await client.query<{ name: string }>(
        'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname',
        [prefix],
      );
      const swept: Date[] = [];
      for (const { name } of found.rows) {
        const slot = keyToSlot(name.slice(prefix.length).toUpperCase());
        if (slot === undefined || now.getTime() - Date.parse(slot) <= SCRATCH_LIFETIME_MS) continue;
        await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`);
        swept.push(new Date(slot));
      }
      return swept;
    },
    MAINTENANCE_DATABASE,
  );
}
