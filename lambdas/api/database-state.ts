import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/runtime/errors';
import type { ApiDependencies } from './dependencies';

export type DatabaseState = 'ok' | 'slow' | 'down' | 'recovery';

/** Longer keeps a load balancer waiting, which then counts the probe as failed anyway. */
const LIMIT_MS = 1_000;

/** Whether the database answers within a second. Never throws. */
export async function checkDatabase({
  database,
  log,
}: Pick<ApiDependencies, 'database' | 'log'>): Promise<DatabaseState> {
  const stop = new AbortController();
  const asked = database
    .use(async (client) => {
      const { rows } = await client.query<{ recovery: boolean }>('SELECT pg_is_in_recovery() AS recovery');
      return rows[0]?.recovery === true ? ('recovery' as const) : ('ok' as const);
    })
    .catch((error: unknown) => {
      log.warn('The database does not answer', { reason: messageOf(error) });
      return 'down' as const;
    });
  const limit = sleep(LIMIT_MS, 'slow' as const, { signal: stop.signal }).catch(() => 'slow' as const);
  const state = await Promise.race([asked, limit]);
  stop.abort();
  // What hangs would hang for the next request, too.
  if (state === 'slow') void database.close();
  return state;
}
