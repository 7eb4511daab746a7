import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import type { InspectionReport, InspectionRequest } from './contract';

type Entry = InspectionReport<'records'>['records'][number];

/** In every database of the platform. Reasons and people are left out: they may be personal. */
const OPERATIONS = `
  SELECT run_on::timestamptz AS at, 'migrations' AS kind, NULL AS who, 'applied a migration' AS what, name::text AS about
  FROM operations.migrations
  UNION ALL
  SELECT merged_at, 'rows', merged_by, format('merged rows: %s added, %s changed, %s left', inserted, updated, skipped), report_id
  FROM operations.row_recovery_merges`;

/** Of billing alone. A key's use is the last one: not every request writes. */
const BILLING = `
  UNION ALL
  SELECT created_at, 'keys', created_by, 'created the key ' || name, id FROM billing.api_keys
  UNION ALL
  SELECT revoked_at, 'keys', revoked_by, 'revoked the key ' || name, id FROM billing.api_keys WHERE revoked_at IS NOT NULL
  UNION ALL
  SELECT last_used_at, 'keys', 'API key ' || id, format('used the key %s, for the last time so far', name), id
  FROM billing.api_keys WHERE last_used_at IS NOT NULL
  UNION ALL
  SELECT assigned_at, 'owners', assigned_by, 'assigned an owner', object_id FROM billing.owner_assignment_log
  UNION ALL
  SELECT erased_at, 'erasures', NULL, CASE WHEN open = '' THEN 'erased a person'
    ELSE 'began to erase a person; not on record as done: ' || open || '. What completes it: docs/erasure.md#when-it-is-half-done' END, id
  FROM billing.erasures CROSS JOIN LATERAL (SELECT concat_ws(', ', CASE WHEN finished_at IS NULL THEN 'billing' END,
    CASE WHEN main_at IS NULL THEN 'main' END, CASE WHEN reports_at IS NULL THEN 'row reports' END) AS open) AS places
  UNION ALL
  SELECT requested_at, 'payouts', requested_by, 'asked to pay out again: ' || status, payout_id FROM billing.payout_retries
  UNION ALL
  SELECT accepted_at, 'payments', accepted_by, format('accepted %s of %s satoshi', amount, asked_amount), id
  FROM billing.bitcoin_payments WHERE accepted_at IS NOT NULL`;

const OF: Readonly<Record<DatabaseName, string>> = { billing: OPERATIONS + BILLING, main: OPERATIONS };

/** What tables record about who did what, the newest first. A database without migrations has recorded nothing. */
export async function listRecords(
  client: ClientBase,
  { database, since, until, limit }: InspectionRequest<'records'> & { readonly limit: number },
): Promise<InspectionReport<'records'>> {
  const { rows: known } = await client.query(`SELECT FROM pg_class WHERE oid = to_regclass('operations.migrations')`);
  if (known.length === 0) return { action: 'records', database, records: [] };
  const { rows } = await client.query<Omit<Entry, 'at'> & { readonly at: Date }>(
    `SELECT * FROM (${OF[database]}) AS record WHERE at >= $1 AND at < $2 ORDER BY at DESC, about LIMIT $3`,
    [since, until, limit],
  );
  return { action: 'records', database, records: rows.map((row) => ({ ...row, at: row.at.toISOString() })) };
}
