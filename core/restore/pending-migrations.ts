import { type ClientBase, DatabaseError } from 'pg';
import type { DatabaseName } from '../contract';
import { PASSING_STATES } from '../database/passing-states';
import { applyMigrations, migrationStatus } from '../migrations/runner';
import { OperationError } from '../runtime/errors';
import type { Deviation } from '../schema/contract';

/** Type of the object of a deviation that is a migration; pg_dump has none of the name. */
const MIGRATION = 'MIGRATION ';
/** What is no fault of the migration: also files that the server cannot read (58), and errors within it (XX). */
const OF_SERVER = new RegExp(`${PASSING_STATES}|^(58|XX)`);

/** What the pending migrations came to. */
export interface BroughtForward {
  /** Names of all migrations that the database has now. */
  readonly applied: readonly string[];
  /** The one that failed; `undefined` when none is pending any more. */
  readonly unapplied: Deviation | undefined;
}

/**
 * Applies the pending migrations to a restored database. One that fails is a fault of the deployed code, not of the archive:
 * the database keeps an older schema, and the failure is a finding.
 *
 * @throws OperationError as {@link applyMigrations} does, but for a migration that fails or is malformed
 */
export async function bringForward(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
): Promise<BroughtForward> {
  try {
    const { applied } = await applyMigrations(client, database, directory);
    return { applied, unapplied: undefined };
  } catch (error) {
    if (!isFaultOfMigration(error)) throw error;
    const { applied, pending } = await migrationStatus(client, database, directory);
    // Both errors name it: a later one may be malformed, and then none is applied.
    const failed = pending.find((name) => error.message.includes(name)) ?? pending[0] ?? '';
    const later = pending.length - 1 - pending.indexOf(failed);
    const others = later === 0 ? '' : later === 1 ? ', nor the one after it' : `, nor the ${later} after it`;
    const unapplied = {
      object: `${MIGRATION}${failed}`,
      consequence: `not applied${others}: the database has an older schema, or a part of this migration, and the rules of its domain were not checked`,
      reason: error.message,
    };
    return { applied, unapplied };
  }
}

/** The migration among the deviations of a restore that could not be applied. */
export function unappliedMigration(deviations: readonly Deviation[]): Deviation | undefined {
  return deviations.find(({ object }) => object.startsWith(MIGRATION));
}

function isFaultOfMigration(error: unknown): error is OperationError {
  if (!(error instanceof OperationError)) return false;
  if (error.code === 'migration_malformed') return true;
  const { cause } = error;
  return error.code === 'migration_failed' && cause instanceof DatabaseError && !OF_SERVER.test(cause.code ?? '');
}
