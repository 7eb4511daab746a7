import { randomUUID } from 'node:crypto';
import type { ClientBase } from 'pg';
import { explainConnectionLoss } from '../../core/database/connector';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { MoveStage } from './contract';

/** A row of `operations.moves`. */
export interface Move {
  readonly id: string;
  readonly role: 'source' | 'target';
  readonly source: string;
  readonly target: string;
  readonly stage: Exclude<MoveStage, 'none'>;
  readonly startedAt: Date;
  readonly verifiedAt: Date | null;
  readonly cutOverAt: Date | null;
  readonly pauseMs: number | null;
  readonly identities: readonly string[];
  readonly knownDifferences: readonly string[];
}

const COLUMNS = `id, role, source, target, stage, started_at AS "startedAt", verified_at AS "verifiedAt",
  cut_over_at AS "cutOverAt", pause_ms AS "pauseMs", identities, known_differences AS "knownDifferences"`;

/** The move that a server has part in, or else its last one. */
export async function openMove(client: ClientBase): Promise<Move | undefined> {
  const { rows: known } = await client.query<{ known: boolean }>(
    `SELECT to_regclass('operations.moves') IS NOT NULL AS known`,
  );
  if (!known[0]?.known) return undefined;
  const { rows } = await client.query<Move>(
    `SELECT ${COLUMNS} FROM operations.moves
     ORDER BY stage NOT IN ('rolled-back', 'finished') DESC, started_at DESC LIMIT 1`,
  );
  return rows[0];
}

/** Whether a move has neither been taken back nor finished. */
export function isOpen(move: Move | undefined): move is Move {
  return move !== undefined && move.stage !== 'rolled-back' && move.stage !== 'finished';
}

export async function recordStart(
  client: ClientBase,
  { source, target, identities }: Pick<Move, 'source' | 'target' | 'identities'>,
): Promise<string> {
  const id = randomUUID();
  await client.query(
    `INSERT INTO operations.moves (id, role, source, target, stage, started_at, stage_at, identities)
     VALUES ($1, 'source', $2, $3, 'copying', now(), now(), $4)`,
    [id, source, target, identities],
  );
  return id;
}

/** Records the stage at the source, which decides. */
export async function recordStage(client: ClientBase, { id }: Pick<Move, 'id'>, stage: Move['stage']): Promise<void> {
  await client.query('UPDATE operations.moves SET stage = $2, stage_at = now() WHERE id = $1', [id, stage]);
}

/** Records that writes begin to wait. The length of an earlier pause counts no longer. */
export async function recordPause(client: ClientBase, { id }: Pick<Move, 'id'>): Promise<void> {
  await client.query('UPDATE operations.moves SET refused_at = clock_timestamp(), pause_ms = NULL WHERE id = $1', [id]);
}

/**
 * Records that a pause ended, and when a cut-over did. What was recorded first stays where the step is repeated: its last stage is
 * recorded only when everything else is done.
 *
 * @returns the milliseconds for which writes waited, also where the step was killed meanwhile
 */
export async function recordEndOfPause(
  client: ClientBase,
  { id }: Pick<Move, 'id'>,
  step: 'cut-over' | 'roll-back',
): Promise<number> {
  const { rows } = await client.query<{ pauseMs: number }>(
    `UPDATE operations.moves SET
       pause_ms = coalesce(pause_ms, extract(epoch FROM clock_timestamp() - refused_at) * 1000),
       cut_over_at = CASE WHEN $2 = 'cut-over' THEN coalesce(cut_over_at, now()) ELSE cut_over_at END
     WHERE id = $1 RETURNING pause_ms AS "pauseMs"`,
    [id, step],
  );
  return rows[0]?.pauseMs ?? 0;
}

/** Records how the definitions of the new server read otherwise since it was made; what was compared before counts no longer. */
export async function recordDifferences(client: ClientBase, digests: readonly string[]): Promise<void> {
  await client.query(`UPDATE operations.moves SET known_differences = $1, verified_at = NULL WHERE stage = 'copying'`, [
    digests,
  ]);
}

export async function recordVerified(client: ClientBase, { id }: Pick<Move, 'id'>): Promise<void> {
  await client.query('UPDATE operations.moves SET verified_at = now() WHERE id = $1', [id]);
}

/** Leaves the record at the target as well: it freezes migrations there, and stays when the source is deleted. */
export async function copyRecord(source: ClientBase, target: ClientBase, { id }: Pick<Move, 'id'>): Promise<void> {
  const { rows } = await source.query<{ row: unknown }>(
    `SELECT to_jsonb(m) || '{"role": "target"}' AS row FROM operations.moves m WHERE id = $1`,
    [id],
  );
  await target.query(
    `INSERT INTO operations.moves SELECT * FROM jsonb_populate_record(NULL::operations.moves, $1)
     ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, stage_at = excluded.stage_at, verified_at = excluded.verified_at,
       cut_over_at = excluded.cut_over_at, refused_at = excluded.refused_at, pause_ms = excluded.pause_ms`,
    [JSON.stringify(rows[0]?.row)],
  );
}

/** @throws OperationError `move_out_of_order` */
export function outOfOrder(step: string, move: Move | undefined, next: string): OperationError {
  const state = move === undefined ? 'no move has begun' : `the move is ${move.stage}`;
  return new OperationError('move_out_of_order', `${step} is not the next step: ${state}. Next: ${next}`);
}

/**
 * Lets writes go on where a step failed in the pause. Where that fails as well, such as with the server, no server may take them.
 *
 * @param failure why the step failed
 * @param next what an operator can do then
 * @throws OperationError with both reasons
 */
export async function undo(failure: unknown, next: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const cause = explainConnectionLoss(error);
    throw new OperationError(
      cause instanceof OperationError ? cause.code : 'move_stuck',
      `Writes may still be refused: ${next}. The step failed (${messageOf(explainConnectionLoss(failure))}), and so did letting writes go on (${messageOf(cause)})`,
      { cause },
    );
  }
}
