import * as z from 'zod';
import type { Cache } from '../cache/connection';
import type { EntitlementChange } from './recompute';

/**
 * Lifetime of an entry in seconds. It bounds how long an answer can be out of date when the cache was unavailable, the
 * function was killed, or the answer to a COMMIT was lost, at the moment of a change. Higher queries the database less often.
 */
export const ENTRY_SECONDS = 60;

/** Entries invalidated together: as many as a healthy cache handles well within the deadline of one use. */
const INVALIDATION_BATCH = 500;

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
      /** ISO 8601, UTC; null without an end. */
      validUntil: moment.nullable(),
    }),
  ),
});

/** A user's entitlements in a project, in their newest version, past and future ones included. */
export type EntitlementEntry = z.infer<typeof entryShape>;

/**
 * Stores a value unless the stored one is newer, so that a slow writer never restores an older version. Entries begin with
 * their version; one without entitlements only marks older versions as out of date.
 *
 * KEYS[1]; ARGV: value, its version, lifetime in seconds, `1` to keep a stored value of the same version.
 */
const STORE_UNLESS_NEWER = `
local stored = redis.call('GET', KEYS[1])
local version = stored and tonumber(string.match(stored, '^{"version":(%d+)'))
if version and (version > tonumber(ARGV[2]) or (version == tonumber(ARGV[2]) and ARGV[4] == '1')) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1`;

/** Entries `entitlements:{user}:{project}` as JSON. Nothing here throws: without the cache, the database answers. */
export interface EntitlementCache {
  get(userId: string, projectId: string): Promise<EntitlementEntry | undefined>;
  /** Stores an entry that was read from the database, unless a newer one is stored. */
  put(userId: string, projectId: string, entry: EntitlementEntry): Promise<void>;
  /** Call it after the commit: from then on no version older than these is returned. */
  invalidate(changes: readonly EntitlementChange[]): Promise<void>;
  /** What is stored, whatever its form: null for nothing, undefined when the cache did not answer. */
  peek(userId: string, projectId: string): Promise<string | null | undefined>;
  /**
   * Drops entries, also one of the present version, which {@link invalidate} leaves: an operator doubts what it says.
   *
   * @returns whether the cache answered
   */
  drop(entries: readonly EntitlementChange[]): Promise<boolean>;
}

export function createEntitlementCache(cache: Cache): EntitlementCache {
  /** Stores marks, which answer nothing and keep older versions out. @returns whether every batch was answered */
  async function mark(changes: readonly EntitlementChange[], keepSame: '0' | '1'): Promise<boolean> {
    let isAnswered = true;
    for (let start = 0; start < changes.length; start += INVALIDATION_BATCH) {
      const some = changes.slice(start, start + INVALIDATION_BATCH);
      const answers = await cache.use((commands) =>
        Promise.all(
          some.map(({ userId, projectId, version }) =>
            commands.evaluate(STORE_UNLESS_NEWER, keyOf(userId, projectId), [
              JSON.stringify({ version }),
              String(version),
              String(ENTRY_SECONDS),
              keepSame,
            ]),
          ),
        ),
      );
      isAnswered &&= answers !== undefined;
    }
    return isAnswered;
  }

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
      await mark(changes, '1');
    },
    peek: (userId, projectId) => cache.use((commands) => commands.get(keyOf(userId, projectId))),
    drop: (entries) => mark(entries, '0'),
  };
}

/** Ids come from the application and may contain a colon; encoded, no two users share a key. */
function keyOf(userId: string, projectId: string): string {
  return ['entitlements', ...[userId, projectId].map((id) => encodeURIComponent(id.toWellFormed()))].join(':');
}

/** An entry of an unknown form, such as another release's, counts as missing. */
function readEntry(value: string): EntitlementEntry | undefined {
  try {
    return entryShape.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}
