import { createRoute } from '@hono/zod-openapi';
import type { ClientBase } from 'pg';
import { Gauge, Registry } from 'prom-client';
import * as z from 'zod';
import { CANARY_EVENT } from '../../core/providers/contract';
import type { ApiDependencies } from './dependencies';
import type { Job } from './jobs';
import { Problem } from './problem';
import type { Router } from './router';
import { KEY_PROBLEMS, SECURITY, SERVER_PROBLEMS } from './schemas';

const route = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Metrics'],
  summary: 'The state of the platform for Prometheus; for keys of every project',
  security: SECURITY,
  responses: {
    200: {
      description: "In Prometheus' text format.",
      content: {
        [Registry.PROMETHEUS_CONTENT_TYPE]: {
          schema: z.string(),
          example: [
            '# HELP billing_job_late 1 where the job is late or its success unknown, else 0.',
            '# TYPE billing_job_late gauge',
            'billing_job_late{job="backup-billing"} 0',
            '',
          ].join('\n'),
        },
      },
    },
    ...KEY_PROBLEMS,
    ...SERVER_PROBLEMS,
  },
});

/** What the database says. Counters of the API itself would be those of the one instance that answers: CloudWatch has them. */
interface State {
  readonly events: readonly { readonly status: string; readonly count: number }[];
  readonly oldestOpenSeconds: number;
  readonly newestEventAt: Date | null;
  readonly subscriptions: readonly { readonly status: string; readonly count: number }[];
}

/** The route that Prometheus scrapes. */
export function addPrometheus(
  app: Router,
  { database }: ApiDependencies,
  readJobs: () => Promise<readonly Job[]>,
): void {
  app.openapi(route, async (context) => {
    if (context.get('caller')?.projects !== null) {
      throw new Problem(403, 'forbidden', 'These are figures of every project, and the key is for some');
    }
    // One after the other: both ask over the function's one connection.
    const jobs = await readJobs();
    const state = await database.use(readState);
    return context.text(await render(state, jobs), 200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE });
  });
}

async function readState(client: ClientBase): Promise<State> {
  const events = await client.query<{ status: string; count: number; oldest: number }>(
    `SELECT status, count(*)::int AS count,
       coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS oldest
     FROM billing.webhook_events WHERE status IN ('received', 'processing', 'failed') GROUP BY status`,
  );
  const newest = await client.query<{ at: Date }>(
    'SELECT received_at AS at FROM billing.webhook_events WHERE type <> $1 ORDER BY occurred_at DESC LIMIT 1',
    [CANARY_EVENT.type],
  );
  const subscriptions = await client.query<{ status: string; count: number }>(
    'SELECT status, count(*)::int AS count FROM billing.subscriptions GROUP BY status',
  );
  const waiting = events.rows.filter(({ status }) => status !== 'failed');
  return {
    events: ['received', 'processing', 'failed'].map((status) => ({
      status,
      count: events.rows.find((row) => row.status === status)?.count ?? 0,
    })),
    oldestOpenSeconds: Math.max(0, ...waiting.map(({ oldest }) => oldest)),
    newestEventAt: newest.rows[0]?.at ?? null,
    subscriptions: subscriptions.rows,
  };
}

async function render(state: State, jobs: readonly Job[]): Promise<string> {
  const registry = new Registry();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name: `billing_${name}`, help, labelNames, registers: [registry] });
  const seconds = (iso: string): number => Date.parse(iso) / 1_000;

  const events = gauge('webhook_events', 'Events of the ledger that are not settled, by status.', ['status']);
  for (const { status, count } of state.events) events.set({ status }, count);
  gauge('webhook_oldest_waiting_seconds', 'Age of the oldest event that was received and not yet applied.').set(
    state.oldestOpenSeconds,
  );
  if (state.newestEventAt !== null) {
    gauge('webhook_newest_timestamp_seconds', 'When the newest event was received, without the canary.').set(
      state.newestEventAt.getTime() / 1_000,
    );
  }
  const subscriptions = gauge('subscriptions', "Subscriptions by Stripe's status.", ['status']);
  for (const { status, count } of state.subscriptions) subscriptions.set({ status }, count);

  const success = gauge('job_last_success_timestamp_seconds', 'When the job last succeeded.', ['job']);
  const limit = gauge('job_limit_seconds', 'Age of the last success from which the job is late.', ['job']);
  const late = gauge('job_late', '1 where the job is late or its success unknown, else 0.', ['job']);
  for (const { job, status, lastSuccess, limitSeconds } of jobs) {
    if (lastSuccess !== null) success.set({ job }, seconds(lastSuccess));
    limit.set({ job }, limitSeconds);
    late.set({ job }, status === 'ok' ? 0 : 1);
  }
  return registry.metrics();
}
