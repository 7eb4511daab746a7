import type { ClientBase } from 'pg';
import { STRIPE } from '../../core/providers/stripe/name';

/** What the ledger has of an event. */
export interface LedgerEvent {
  readonly id: string;
  readonly status: 'received' | 'processing' | 'processed' | 'failed';
  readonly error: string | null;
}

export interface StoredEvent extends LedgerEvent {
  readonly type: string;
  readonly occurred_at: Date;
  /** The event as it was received, reduced to what may be stored; empty when it could not be stored at all. */
  readonly payload: unknown;
}

/** What the ledger has of the given events, without their payloads. */
export async function ledgerOf(client: ClientBase, ids: readonly string[]): Promise<Map<string, LedgerEvent>> {
  const { rows } = await client.query<LedgerEvent>(
    'SELECT id, status, error FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])',
    [ids, STRIPE],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

const STORED_COLUMNS = 'id, status, error, type, occurred_at, payload';

export async function storedEvents(client: ClientBase, ids: readonly string[]): Promise<Map<string, StoredEvent>> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])`,
    [ids, STRIPE],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** Events that were not processed, by id, after the given one. */
export async function unprocessedEvents(client: ClientBase, after: string, limit: number): Promise<StoredEvent[]> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events
     WHERE status <> 'processed' AND provider = $3 AND id > $1 ORDER BY id LIMIT $2`,
    [after, limit, STRIPE],
  );
  return rows;
}
