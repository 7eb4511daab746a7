import type { ClientBase } from 'pg';
import type { ProviderName } from '../../core/providers/contract';

const OPEN = ['received', 'processing', 'failed'] as const;

/** The ledger's row of an event, without the event. */
export interface LedgerEvent {
  readonly id: string;
  readonly status: (typeof OPEN)[number] | 'processed' | 'ignored' | 'dismissed';
  readonly error: string | null;
}

export interface StoredEvent extends LedgerEvent {
  readonly type: string;
  readonly occurred_at: Date;
  /** The event without what must not be stored; `{}` when it could not be stored at all. */
  readonly payload: unknown;
}

/** The ledger's rows of the given events of a provider, by id, without their payloads. */
export async function ledgerEvents(
  client: ClientBase,
  provider: ProviderName,
  ids: readonly string[],
): Promise<Map<string, LedgerEvent>> {
  const { rows } = await client.query<LedgerEvent>(
    'SELECT id, status, error FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])',
    [ids, provider],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** Written out for the partial index of open events. */
const OPEN_LIST = OPEN.map((status) => `'${status}'`).join(', ');
const STORED_COLUMNS = 'id, status, error, type, occurred_at, payload';

/** The ledger's rows of the given events of a provider, by id, with their payloads. */
export async function storedEvents(
  client: ClientBase,
  provider: ProviderName,
  ids: readonly string[],
): Promise<Map<string, StoredEvent>> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events WHERE provider = $2 AND id = ANY ($1::text[])`,
    [ids, provider],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Events of a provider that are open: neither processed nor ignored nor dismissed; in the order of their ids.
 *
 * @param after id behind which they begin
 */
export async function openEvents(
  client: ClientBase,
  provider: ProviderName,
  after: string,
  limit: number,
): Promise<StoredEvent[]> {
  const { rows } = await client.query<StoredEvent>(
    `SELECT ${STORED_COLUMNS} FROM billing.webhook_events
     WHERE status IN (${OPEN_LIST}) AND provider = $3 AND id > $1 ORDER BY id LIMIT $2`,
    [after, limit, provider],
  );
  return rows;
}

/** Who dismisses events, and why. */
export interface Dismissal {
  readonly by: string;
  readonly reason: string;
}

/** Dismisses those of a provider's events that are open; returns their ids. The ledger keeps who did it, when and why. */
export async function dismissEvents(
  client: ClientBase,
  provider: ProviderName,
  ids: readonly string[],
  { by, reason }: Dismissal,
): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `UPDATE billing.webhook_events
     SET status = 'dismissed', processed_at = now(), dismissed_by = $3, dismissal_reason = $4
     WHERE provider = $2 AND id = ANY ($1::text[]) AND status IN (${OPEN_LIST})
     RETURNING id`,
    [ids, provider, by, reason],
  );
  return new Set(rows.map(({ id }) => id));
}

export function isOpen({ status }: Pick<LedgerEvent, 'status'>): boolean {
  return OPEN.some((open) => open === status);
}
