import * as z from 'zod';
import type { Cache } from '../cache/connection';
import type { EntitlementChange } from './recompute';

/**
 * Seconds that an entry lasts. This is how long an answer can be out of date when the cache was away, or the function
 * killed, at the very moment of a change; more asks the database less often.
 */
export const ENTRY_SECONDS = 60;

/** Entries invalidated together: what a healthy cache does well within the deadline of one use. */
const AT_ONCE = 500;

const moment = z.iso.datetime();
const entryShape = z.object({
  version: z.int().min(0),
  entitlements: z.array(
    z.object({
      feature: z.string(),
      source: z.enum(['subscription', 'purchase']),
      sourceId: z.string(),
      /** ISO 8601, UTC. */
      validFrom: moment,
      /** ISO 8601, UTC; null for what was bought for good. */
      validUntil: moment.nullable(),
    }),
  ),
});

/** What somebody may use in a project: the newest version of it, whenever each part holds. */
export type EntitlementEntry = z.infer<typeof entryShape>;

/**
 * Stores a value unless what is there is newer, so that a slow writer never puts an older version back. Entries begin
 * with their version; one that only consists of it says that everything older is out of date.
 *
 * KEYS[1], ARGV: value, its version, seconds, `1` to keep a value of the same version.
 */
const STORE_UNLESS_NEWER = `
local stored = redis.call('GET', KEYS[1])
local version = stored and tonumber(string.match(stored, '^{"version":(%d+)'))
if version and (version > tonumber(ARGV[2]) or (version == tonumber(ARGV[2]) and ARGV[4] == '1')) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1`;

/** Entries `entitlements:{user}:{project}`, JSON. Nothing here throws: without an answer the database has it. */
export interface EntitlementCache {
  get(userId: string, projectId: string): Promise<EntitlementEntry | undefined>;
  /** Keeps what was read from the database, unless something newer is known. */
  put(userId: string, projectId: string, entry: EntitlementEntry): Promise<void>;
  /** To be called after the commit: from then on nothing older than these versions is answered. */
  invalidate(changes: readonly EntitlementChange[]): Promise<void>;
}

export function createEntitlementCache(cache: Cache): EntitlementCache {
  return {
    async get(userId, projectId) {
      const value = await cache.use((commands) => commands.get(keyOf(userId, projectId)));
      return value == null ? undefined : readEntry(value);
    },
    async put(userId, projectId, { version, entitlements }) {
      const value = JSON.stringify({ version, entitlements });
      await cache.use((commands) =>
        commands.evaluate(STORE_UNLESS_NEWER, keyOf(userId, projectId), [
          value,
          String(version),
          String(ENTRY_SECONDS),
          '0',
        ]),
      );
    },
    async invalidate(changes) {
      for (let start = 0; start < changes.length; start += AT_ONCE) {
        const some = changes.slice(start, start + AT_ONCE);
        await cache.use((commands) =>
          Promise.all(
            some.map(({ userId, projectId, version }) =>
              commands.evaluate(STORE_UNLESS_NEWER, keyOf(userId, projectId), [
                JSON.stringify({ version }),
                String(version),
                String(ENTRY_SECONDS),
                '1',
              ]),
            ),
          ),
        );
      }
    },
  };
}

/** Ids are the application's and may hold a colon; encoded, no two users share a key. */
function keyOf(userId: string, projectId: string): string {
  return ['entitlements', ...[userId, projectId].map((id) => encodeURIComponent(id.toWellFormed()))].join(':');
}

/** An entry in a form that is not known, such as that of another release, is as good as none. */
function readEntry(value: string): EntitlementEntry | undefined {
  try {
    return entryShape.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}
