import type { ClientBase } from 'pg';
import { CANARY_EVENT, MAX_EVENT_ATTEMPTS, PROVIDER_NAMES, type ProviderName } from '../../core/providers/contract';
import type { InspectionReport, InspectionRequest } from './contract';

interface HourRow {
  readonly hour: Date;
  readonly settled: number;
  readonly failed: number;
  readonly open: number;
}

/** What became of the events of the last days, by the hour in which the provider made them, and how far behind events are. */
export async function readActivity(
  client: ClientBase,
  { days }: InspectionRequest<'activity'>,
  at: Date,
): Promise<InspectionReport<'activity'>> {
  const hours = await client.query<HourRow>(
    `SELECT date_trunc('hour', occurred_at, 'UTC') AS hour,
       count(*) FILTER (WHERE status IN ('processed', 'ignored', 'dismissed'))::int AS settled,
       count(*) FILTER (WHERE status = 'failed')::int AS failed,
       count(*) FILTER (WHERE status IN ('received', 'processing'))::int AS open
     FROM billing.webhook_events
     WHERE occurred_at >= $1::timestamptz - make_interval(days => $2) AND type <> $3
     GROUP BY 1 ORDER BY 1`,
    [at, days, CANARY_EVENT.type],
  );
  const lag = await client.query<{ p95: number | null; oldest: number | null }>(
    `SELECT
       (SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at))::float8
        FROM billing.webhook_events
        WHERE occurred_at >= $1::timestamptz - interval '1 hour' AND status = 'processed') AS p95,
       (SELECT extract(epoch FROM $1::timestamptz - min(received_at))::float8
        FROM billing.webhook_events WHERE status IN ('received', 'processing')) AS oldest`,
    [at],
  );
  const [row] = lag.rows;
  return {
    action: 'activity',
    at: at.toISOString(),
    hours: hours.rows.map(({ hour, ...counts }) => ({ hour: hour.toISOString(), ...counts })),
    lag: { p95Seconds: row?.p95 ?? null, oldestOpenSeconds: row?.oldest ?? null },
    providers: await readProviders(client, at),
  };
}

type OfProvider = InspectionReport<'activity'>['providers'][number];

interface DayRow extends Pick<OfProvider, 'received' | 'settled' | 'p95Seconds'> {
  readonly provider: ProviderName;
  readonly newestAt: Date | null;
}

type OpenRow = Pick<OfProvider, 'provider' | 'failed' | 'parked' | 'waiting' | 'oldestOpenSeconds'>;

/** The same by provider: what it sent in a day, and what is open of it. */
async function readProviders(client: ClientBase, at: Date): Promise<OfProvider[]> {
  const day = await client.query<DayRow>(
    `SELECT provider, count(*)::int AS received,
       count(*) FILTER (WHERE status IN ('processed', 'ignored', 'dismissed'))::int AS settled,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at)::float8)
         FILTER (WHERE status = 'processed' AND occurred_at >= $1::timestamptz - interval '1 hour') AS "p95Seconds",
       max(received_at) AS "newestAt"
     FROM billing.webhook_events
     WHERE occurred_at >= $1::timestamptz - interval '1 day' AND type <> $2 GROUP BY provider`,
    [at, CANARY_EVENT.type],
  );
  const open = await client.query<OpenRow>(
    `SELECT provider, count(*) FILTER (WHERE status = 'failed')::int AS failed,
       count(*) FILTER (WHERE status = 'failed' AND attempts >= $2)::int AS parked,
       count(*) FILTER (WHERE status <> 'failed')::int AS waiting,
       extract(epoch FROM $1::timestamptz - min(received_at) FILTER (WHERE status <> 'failed'))::float8 AS "oldestOpenSeconds"
     FROM billing.webhook_events WHERE status IN ('received', 'processing', 'failed') GROUP BY provider`,
    [at, MAX_EVENT_ATTEMPTS],
  );
  return PROVIDER_NAMES.map((provider) => {
    const made = day.rows.find((row) => row.provider === provider);
    return {
      received: 0,
      settled: 0,
      failed: 0,
      parked: 0,
      waiting: 0,
      p95Seconds: null,
      oldestOpenSeconds: null,
      ...made,
      newestAt: made?.newestAt?.toISOString() ?? null,
      ...open.rows.find((row) => row.provider === provider),
      provider,
    };
  });
}
