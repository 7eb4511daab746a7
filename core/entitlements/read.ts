import type { ClientBase } from 'pg';
import { ENTRY_SECONDS, type EntitlementCache, type EntitlementEntry } from './entitlement-cache';
import { READ_ENTITLEMENTS } from './statements';

export type Entitlement = EntitlementEntry['entitlements'][number];

export interface EntitlementReaderDependencies {
  /** Runs `work` with a connection to the billing database. */
  readonly useDatabase: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  readonly cache: EntitlementCache;
  readonly clock: () => Date;
}

export interface CurrentEntitlements {
  /** Grows with every change; 0 for a user who never had any. */
  readonly version: number;
  /** Those valid now, one for each source: a feature may come from several. */
  readonly entitlements: readonly Entitlement[];
}

/**
 * A user's current entitlements in a project: from the cache, or else from the database and then stored in the cache.
 *
 * @param projectId empty for sources that name no project
 * @throws the database's error; an unavailable cache costs bounded time, never the answer
 */
export async function readEntitlements(
  { useDatabase, cache, clock }: EntitlementReaderDependencies,
  userId: string,
  projectId: string,
): Promise<CurrentEntitlements> {
  const cached = await cache.get(userId, projectId);
  if (cached) return validAt(cached, clock());
  const queriedAt = clock();
  const entry = await useDatabase((client) => load(client, userId, projectId, queriedAt));
  // A function that was frozen in between may have outlasted the invalidation of this version.
  if (clock().getTime() - queriedAt.getTime() < (ENTRY_SECONDS * 1000) / 2) await cache.put(userId, projectId, entry);
  return validAt(entry, clock());
}

function validAt({ version, entitlements }: EntitlementEntry, moment: Date): CurrentEntitlements {
  const now = moment.getTime();
  const isValid = ({ validFrom, validUntil }: Entitlement) =>
    Date.parse(validFrom) <= now && (validUntil === null || Date.parse(validUntil) > now);
  return { version, entitlements: entitlements.filter(isValid) };
}

interface EntitlementRow {
  /** A bigint, which the driver returns as text. */
  readonly version: string;
  /** Null, like the rest of the row, in the only row of a user who has none. */
  readonly feature: string | null;
  readonly source: Entitlement['source'];
  readonly source_id: string;
  readonly valid_from: Date;
  readonly valid_until: Date | null;
}

async function load(client: ClientBase, userId: string, projectId: string, moment: Date): Promise<EntitlementEntry> {
  const { rows } = await client.query<EntitlementRow>({
    ...READ_ENTITLEMENTS,
    values: [userId, projectId, moment],
  });
  return {
    version: Number(rows[0]?.version ?? 0),
    entitlements: rows.flatMap((row) =>
      row.feature === null
        ? []
        : [
            {
              feature: row.feature,
              source: row.source,
              sourceId: row.source_id,
              validFrom: row.valid_from.toISOString(),
              validUntil: row.valid_until?.toISOString() ?? null,
            },
          ],
    ),
  };
}
