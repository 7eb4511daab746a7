import type { ClientBase } from 'pg';
import { OperationError } from '../runtime/errors';

/**
 * Refuses to change schema, roles or privileges while the database moves to another server: replication carries rows only, and
 * breaks on a column that one side lacks.
 *
 * @throws OperationError `move_underway`
 */
export async function assertNotMoving(client: ClientBase): Promise<void> {
  const { rows: known } = await client.query<{ known: boolean }>(
    `SELECT to_regclass('operations.moves') IS NOT NULL AS known`,
  );
  if (!known[0]?.known) return;
  const { rows } = await client.query<{ stage: string; target: string }>(
    `SELECT stage, target FROM operations.moves WHERE stage NOT IN ('rolled-back', 'finished')`,
  );
  const [move] = rows;
  if (move === undefined) return;
  throw new OperationError(
    'move_underway',
    `The database is being moved to ${move.target} (${move.stage}), which replicates rows and no changes of the schema: end the move first, by ops move finish or ops move roll-back`,
  );
}
