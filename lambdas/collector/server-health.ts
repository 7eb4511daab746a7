import { TLSSocket } from 'node:tls';
import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { COLLECTOR_METRICS } from './contract';
import type { Gauge, Measurement } from './gauge';

/** Roles that have a metric of their own; the others share one. More would cost a metric each, for ever. */
const MAX_ROLES = 8;
const OTHER_ROLES = 'other';

/** What goes on in a database and its server. Each is measured by itself: one that fails costs the others nothing. */
export function serverHealth(client: ClientBase, database: DatabaseName, now: () => Date): readonly Measurement[] {
  const one = (
    label: string,
    metric: keyof typeof COLLECTOR_METRICS,
    unit: Gauge['unit'],
    sql: string,
  ): Measurement => ({
    label: `${label} of ${database}`,
    measure: async () => {
      const { rows } = await client.query<{ value: number | null }>(sql);
      return [{ name: COLLECTOR_METRICS[metric], unit, value: rows[0]?.value ?? 0, dimensions: { database } }];
    },
  });
  return [
    one('longest transaction', 'longestTransactionSeconds', 'Seconds', LONGEST_TRANSACTION),
    one('lock waits', 'longestLockWaitSeconds', 'Seconds', LONGEST_LOCK_WAIT),
    one('transaction ids', 'transactionIdAge', 'Count', TRANSACTION_ID_AGE),
    one('autovacuum', 'tablesBehindVacuum', 'Count', TABLES_BEHIND_VACUUM),
    { label: `roles of ${database}`, measure: () => connectionsByRole(client, database) },
    { label: `certificate of ${database}`, measure: async () => certificateExpiry(client, database, now()) },
  ];
}

const LONGEST_TRANSACTION = `
SELECT extract(epoch FROM max(clock_timestamp() - xact_start))::float8 AS value FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;

const LONGEST_LOCK_WAIT = `
SELECT extract(epoch FROM max(clock_timestamp() - l.waitstart))::float8 AS value
FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()`;

const TRANSACTION_ID_AGE = `SELECT age(datfrozenxid)::float8 AS value FROM pg_database WHERE datname = current_database()`;

/** Twice as many dead rows as autovacuum waits for: it does not keep up, or something keeps the rows. */
const TABLES_BEHIND_VACUUM = `
SELECT count(*)::float8 AS value FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE s.n_dead_tup > 2 * (current_setting('autovacuum_vacuum_threshold')::float8
  + current_setting('autovacuum_vacuum_scale_factor')::float8 * greatest(c.reltuples, 0))`;

async function connectionsByRole(client: ClientBase, database: DatabaseName): Promise<Gauge[]> {
  const { rows } = await client.query<{ role: string; connections: number }>(
    `WITH roles AS (
       SELECT usename::text AS role, count(*)::int AS connections, row_number() OVER (ORDER BY count(*) DESC, usename) AS rank
       FROM pg_stat_activity WHERE datname = current_database() AND usename IS NOT NULL GROUP BY usename
     )
     SELECT CASE WHEN rank <= $1 THEN role ELSE $2 END AS role, sum(connections)::int AS connections
     FROM roles GROUP BY 1 ORDER BY 1`,
    [MAX_ROLES, OTHER_ROLES],
  );
  return rows.map(({ role, connections }) => ({
    name: COLLECTOR_METRICS.connectionsByRole,
    unit: 'Count',
    value: connections,
    dimensions: { database, role },
  }));
}

/** Of the connection itself. Nothing where it has no TLS. */
function certificateExpiry(client: ClientBase, database: DatabaseName, now: Date): Gauge[] {
  const { stream } = (client as unknown as { readonly connection?: { readonly stream?: unknown } }).connection ?? {};
  if (!(stream instanceof TLSSocket)) return [];
  const value = Math.round((Date.parse(stream.getPeerCertificate().valid_to) - now.getTime()) / 1000);
  return [{ name: COLLECTOR_METRICS.certificateExpirySeconds, unit: 'Seconds', value, dimensions: { database } }];
}

/** Events of the ledger that are not settled, by their status; a status without any is 0. */
export async function eventBacklog(client: ClientBase): Promise<Gauge[]> {
  const { rows } = await client.query<{ status: string; events: number }>(
    `SELECT open.status, count(event.id)::int AS events FROM unnest('{received,processing,failed}'::text[]) AS open (status)
     LEFT JOIN (SELECT id, status FROM billing.webhook_events WHERE status IN ('received', 'processing', 'failed')) AS event
       ON event.status = open.status
     GROUP BY 1 ORDER BY 1`,
  );
  return rows.map(({ status, events }) => ({
    name: COLLECTOR_METRICS.eventBacklog,
    unit: 'Count',
    value: events,
    dimensions: { status },
  }));
}
