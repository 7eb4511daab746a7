import type { ClientBase } from 'pg';
import { STRIPE } from '../../core/providers/stripe/name';

/** The ledger's row of an event, without the event. */
export interface LedgerEvent {
  readonly id: string;
  readonly status: 'received' | 'processing' | 'processed' | 'failed';
  readonly error: string | null;
}

export interface StoredEvent extends LedgerEvent {
  readonly type: string;
  readonly occurred_at: Date;
  /** The event without what must not be stored; `{}` when it could not be stored at all. */
  readonly payload: unknown;
}

/** The ledger's rows of the given events, by id, without their payloads. */
export async function ledgerEvents(client: ClientBase, ids: readonly string[]): Promise<Map<string, LedgerEvent>> {
  const { rows } = await client.query<LedgerEvent>(
    'SELECT id, status, error FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])',
    [ids, STRIPE],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

const STORED_COLUMNS = 'id, status, error, type, occurred_at, payload';

/** The ledger's rows of the given events, by id, with their payloads. */
export async function storedEvents(client: ClientBase, ids: readonly string[]): Promise<Map<string, StoredEvent>> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])`,
    [ids, STRIPE],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Events that are not processed, in the order of their ids.
 *
 * @param after id behind which they begin
 */
export async function unprocessedEvents(client: ClientBase, after: string, limit: number): Promise<StoredEvent[]> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events
     WHERE status <> 'processed' AND provider = $3 AND id > $1 ORDER BY id LIMIT $2`,
    [after, limit, STRIPE],
  );
  return rows;
}
