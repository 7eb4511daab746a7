import type { ClientBase } from 'pg';

/** A key of the API that is in force. */
export interface AuditedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** ISO times. */
  readonly createdAt: string;
  /** `null` where it never ends. */
  readonly expiresAt: string | null;
  /** `null` where it was never used. */
  readonly lastUsedAt: string | null;
}

/** Keys that the report takes; an environment has one for each application. */
const MOST_KEYS = 200;

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
}

/** The keys of the API that are in force, the longest unused first. */
export async function auditKeys(client: ClientBase, now: Date): Promise<AuditedKey[]> {
  const { rows } = await client.query<KeyRow>(
    `SELECT id, name, scopes, created_at, expires_at, last_used_at FROM billing.api_keys
     WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
     ORDER BY last_used_at NULLS FIRST, created_at, id LIMIT $1`,
    [MOST_KEYS, now],
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }));
}
