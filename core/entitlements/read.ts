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
  /** Grows with every change; 0 for somebody who never had any. */
  readonly version: number;
  /** Those that hold now, one per source: a feature may come from several. */
  readonly entitlements: readonly Entitlement[];
}

/**
 * What a user may use in a project now: from the cache, or else from the database, and then kept in the cache.
 *
 * @param projectId empty for what names no project
 * @throws what the database throws; a cache that is away costs time (bounded), never the answer
 */
export async function readEntitlements(
  { useDatabase, cache, clock }: EntitlementReaderDependencies,
  userId: string,
  projectId: string,
): Promise<CurrentEntitlements> {
  const cached = await cache.get(userId, projectId);
  if (cached) return holdingAt(cached, clock());
  const asked = clock();
  const entry = await useDatabase((client) => load(client, userId, projectId, asked));
  // Whoever was frozen in between may have outlasted the notice that this version is out of date.
  if (clock().getTime() - asked.getTime() < (ENTRY_SECONDS * 1000) / 2) await cache.put(userId, projectId, entry);
  return holdingAt(entry, clock());
}

function holdingAt({ version, entitlements }: EntitlementEntry, moment: Date): CurrentEntitlements {
  const now = moment.getTime();
  const holds = ({ validFrom, validUntil }: Entitlement) =>
    Date.parse(validFrom) <= now && (validUntil === null || Date.parse(validUntil) > now);
  return { version, entitlements: entitlements.filter(holds) };
}

interface EntitlementRow {
  /** A bigint, which the driver returns as text. */
  readonly version: string;
  /** Null in the only row of somebody who has none; the rest of the row is null with it. */
  readonly feature: string | null;
  readonly source: Entitlement['source'];
  readonly source_id: string;
  readonly valid_from: Date;
  readonly valid_until: Date | null;
}

async function load(client: ClientBase, userId: string, projectId: string, moment: Date): Promise<EntitlementEntry> {
  const { rows } = await client.query<EntitlementRow>(READ_ENTITLEMENTS.text, [userId, projectId, moment]);
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
