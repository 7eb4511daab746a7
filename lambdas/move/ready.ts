import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import type { Move } from './record';
import { BACK, FORWARD, isSubscribed, slotBytes } from './replication';
import { KEPT_DAYS } from './contract';
import { type Connected, type MoveDependencies, valueOf } from './servers';
import { type Secrets, secretsOf } from './switch';

/** Log that may still be on its way at the begin of a cut-over: a second or two of work. More makes the pause as much longer. */
const MOST_LAG_BYTES = 16 * 1024 * 1024;
/** How long a cut-over waits for other functions to end before it says which it waits for. */
const QUIET_MS = 10_000;
const DAY_MS = 86_400_000;
/** Functions that connect for each event or request, and wait through a cut-over. */
const PASSING = ['processor', 'api', 'move', 'inspect', 'collector', 'canary', ''];

/** @throws OperationError `move_not_ready` while tables are being copied, and where nothing is subscribed */
export async function assertCopied(target: Connected): Promise<void> {
  const { client, name } = target;
  if (!(await isSubscribed(target, FORWARD))) {
    throw new OperationError('move_not_ready', `${name} receives nothing from the old server: ops move copy`);
  }
  const waiting = await valueOf<number>(
    client,
    `SELECT count(*)::int AS value FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
     WHERE s.subname = $1 AND r.srsubstate <> 'r'`,
    [FORWARD],
  );
  if (waiting === 0) return;
  throw new OperationError('move_not_ready', `${waiting} tables are still being copied: ops move catch-up`);
}

/** Secrets that a rotation changes. */
export interface Rotations {
  /** How many were looked at. */
  readonly all: number;
  /** Of these a rotation has begun, and not ended. */
  readonly rotating: string[];
  /** Of these one begins before the end of the move, as `<ARN> on 2026-12-01`. */
  readonly due: string[];
}

/**
 * Looks at the secrets of the database, and at that of the other server's administrator, whose password the cut-over copies.
 *
 * @param until when the move is expected to have ended
 */
export async function rotationsUntil(dependencies: MoveDependencies, until: Date): Promise<Rotations> {
  const arns = [...new Set([...secretsOf(dependencies), dependencies.other.target.secretArn])];
  const rotating: string[] = [];
  const due: string[] = [];
  for (const arn of arns) {
    const { isUnderway, nextAt } = await dependencies.secrets.rotation(arn);
    if (isUnderway) rotating.push(arn);
    if (nextAt !== undefined && nextAt <= until) due.push(`${arn} on ${nextAt.toISOString().slice(0, 10)}`);
  }
  return { all: arns.length, rotating, due };
}

/** Until when the old server is kept as the way back. */
export function endOfWayBack(cutOverAt: Date): Date {
  return new Date(cutOverAt.getTime() + KEPT_DAYS * DAY_MS);
}

/** When a move ends that begins now, or goes on: a day for the copy, and the days of the way back. */
export function expectedEnd(now: Date, move: Pick<Move, 'stage' | 'cutOverAt'> | undefined): Date {
  const cutOverAt = move?.stage === 'cut-over' ? move.cutOverAt : null;
  return endOfWayBack(cutOverAt ?? new Date(now.getTime() + DAY_MS));
}

/** What to do about {@link Rotations.due}. */
export const AVOID_ROTATION =
  'rotate it now (ops secrets rotate, where the stack rotates it), or turn its schedule off until the move ends (aws secretsmanager cancel-rotate-secret)';

/**
 * A rotation after the cut-over fails, since it changes the password on the old server, and closes the way back.
 *
 * @throws OperationError `move_not_ready` naming the secrets
 */
export async function assertNoRotationDue(dependencies: MoveDependencies): Promise<void> {
  const { due } = await rotationsUntil(dependencies, endOfWayBack(dependencies.clock()));
  if (due.length === 0) return;
  throw new OperationError(
    'move_not_ready',
    `A rotation is due before the end of the move: ${due.join(', ')}: ${AVOID_ROTATION}. Nothing was changed`,
  );
}

/**
 * A rotation stores a copy of the secret that it found, and would bring back where that sent functions.
 *
 * @param others secrets to look at besides those of the database
 * @throws OperationError `move_not_ready` naming the secrets
 */
export async function assertNotRotating(dependencies: Secrets, others: readonly string[] = []): Promise<void> {
  const rotating: string[] = [];
  for (const arn of [...secretsOf(dependencies), ...others]) {
    if ((await dependencies.secrets.rotation(arn)).isUnderway) rotating.push(arn);
  }
  if (rotating.length === 0) return;
  throw new OperationError(
    'move_not_ready',
    `A rotation of ${rotating.join(', ')} has begun and not ended: wait for its end (ops secrets list), and repeat the step. One that failed does not end by itself: cancel it as docs/move.md says under Rotation. Nothing was changed`,
  );
}

/** @throws OperationError `move_not_ready` where the other server is too far behind to catch up within seconds */
export async function assertClose(from: Connected, direction: typeof FORWARD | typeof BACK): Promise<void> {
  const slot = await slotBytes(from, direction);
  if (slot !== null && slot.lag <= MOST_LAG_BYTES) return;
  throw new OperationError(
    'move_not_ready',
    slot === null
      ? `${from.name} has no replication slot ${direction}, so nothing is replicated: look at its log for why it is gone; ops move roll-back gives the move up`
      : `The other server is ${Math.ceil(slot.lag / 1024 / 1024)} MiB behind: ops move catch-up`,
  );
}

/**
 * Waits until no other function is at work: a reconciliation or a backup would be cut off.
 *
 * @throws OperationError `database_busy` naming them
 */
export async function untilQuiet(client: ClientBase, sleep: (ms: number) => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + QUIET_MS;
  for (;;) {
    const { rows } = await client.query<{ name: string }>(
      `SELECT DISTINCT application_name AS name FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
         AND application_name <> ALL ($1) AND (state LIKE 'idle in%' OR state = 'active')`,
      [PASSING],
    );
    if (rows.length === 0) return;
    if (performance.now() > deadline) {
      throw new OperationError(
        'database_busy',
        `${rows.map(({ name }) => name).join(', ')} at work: repeat the step when that has ended, see ops connections`,
      );
    }
    await sleep(500);
  }
}
