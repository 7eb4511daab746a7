import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import { BACK, FORWARD, isSubscribed, slotBytes } from './replication';
import { type Connected, valueOf } from './servers';
import { type Secrets, secretsOf } from './switch';

/** Log that may still be on its way at the begin of a cut-over: a second or two of work. More makes the pause as much longer. */
const MOST_LAG_BYTES = 16 * 1024 * 1024;
/** How long a cut-over waits for other functions to end before it says which it waits for. */
const QUIET_MS = 10_000;
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

/** Secrets of the database that a rotation has begun to change, and not ended. */
export async function rotatingSecrets(
  dependencies: Secrets,
): Promise<{ readonly all: number; readonly rotating: string[] }> {
  const arns = secretsOf(dependencies);
  const rotating: string[] = [];
  for (const arn of arns) if (await dependencies.secrets.isRotating(arn)) rotating.push(arn);
  return { all: arns.length, rotating };
}

/**
 * A rotation stores a copy of the secret that it found, and would bring back where that sent functions.
 *
 * @throws OperationError `move_not_ready` naming the secrets
 */
export async function assertNotRotating(dependencies: Secrets): Promise<void> {
  const { rotating } = await rotatingSecrets(dependencies);
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
      ? `${from.name} has no replication slot ${direction}: nothing is replicated`
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
