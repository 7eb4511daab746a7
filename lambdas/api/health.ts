import { createRoute } from '@hono/zod-openapi';
import * as z from 'zod';
import { RECONCILIATION_LIMIT_HOURS } from '../../core/contract';
import { isoTime } from '../../core/runtime/contract';
import { messageOf } from '../../core/runtime/errors';
import { API_ROUTES } from './contract';
import type { ApiDependencies } from './dependencies';
import { checkDatabase, type DatabaseState } from './database-state';
import { lastReconciliation, type Job } from './jobs';
import type { Router } from './router';
import { json, SERVER_PROBLEMS } from './schemas';

const alive = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Alive' });
const database = z
  .enum(['ok', 'slow', 'down', 'recovery'])
  .describe('`slow`: no answer within a second. `recovery`: it answers, and cannot be written to.');
const readiness = z.strictObject({ status: z.enum(['ok', 'unavailable']), db: database }).meta({ id: 'Readiness' });
const overall = z
  .strictObject({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    db: database,
    stripe: z
      .enum(['ok', 'stale', 'unknown'])
      .describe(
        '`ok`: reconciliation compared everything with Stripe within its limit. `unknown`: the database does not say.',
      ),
  })
  .meta({ id: 'Health' });
const jobs = z
  .strictObject({
    status: z.enum(['ok', 'late', 'unknown']),
    jobs: z.array(
      z.strictObject({
        job: z.string(),
        status: z
          .enum(['ok', 'late', 'unknown'])
          .describe(
            '`unknown`: what records it could not be asked. What never ran is due from the first migration of its database on.',
          ),
        lastSuccess: isoTime.nullable().describe('ISO time; null for none.'),
        ageSeconds: z.int().nullable(),
        limitSeconds: z.int().describe('Age from which it is late.'),
        findings: z
          .string()
          .nullable()
          .describe(
            'How much the last restore drill did not restore as archived, and where to read on; null for nothing. It does not make the job late.',
          ),
      }),
    ),
  })
  .meta({ id: 'Jobs' });

const JOB: Job = {
  job: 'reconciliation',
  status: 'ok',
  lastSuccess: '2026-11-30T02:00:00.000Z',
  ageSeconds: 7_200,
  limitSeconds: 93_600,
  findings: null,
};

const TAGS = ['Health'];
const probe = (path: string, summary: string) =>
  createRoute({
    method: 'get',
    path,
    tags: TAGS,
    summary,
    responses: { 200: json('Alive.', alive, { status: 'ok' }), ...SERVER_PROBLEMS },
  });
const readinessRoute = (path: string, summary: string) =>
  createRoute({
    method: 'get',
    path,
    tags: TAGS,
    summary,
    responses: {
      200: json('Ready.', readiness, { status: 'ok', db: 'ok' }),
      503: json('Not ready.', readiness, { status: 'unavailable', db: 'down' }),
      500: SERVER_PROBLEMS[500],
    },
  });

/** Documents that a probe answers HEAD, which the router does by the handler of GET. */
function addHead(app: Router, path: string): void {
  app.openAPIRegistry.registerPath({
    method: 'head',
    path,
    tags: TAGS,
    summary: 'Its status, without a body',
    responses: {
      200: { description: 'As for GET.' },
      500: { description: 'A fault of the platform.' },
      503: { description: 'As for GET.' },
    },
  });
}

/** The routes that load balancers and probes ask. Their answers name no version and no host. */
export function addHealth(app: Router, dependencies: ApiDependencies, readJobs: () => Promise<readonly Job[]>): void {
  for (const path of ['/health', '/healthz', '/live']) {
    app.openapi(probe(path, 'Whether the API runs; it looks at nothing else'), (context) =>
      context.json({ status: 'ok' as const }, 200),
    );
  }
  for (const path of ['/ready', '/health/db']) {
    app.openapi(readinessRoute(path, 'Whether the database answers within a second'), async (context) => {
      const db = await checkDatabase(dependencies);
      return db === 'ok'
        ? context.json({ status: 'ok' as const, db }, 200)
        : context.json({ status: 'unavailable' as const, db }, 503);
    });
  }
  const jobsRoute = createRoute({
    method: 'get',
    path: '/health/jobs',
    tags: TAGS,
    summary: 'When each job last succeeded, and whether that is too long ago; up to a minute old',
    responses: {
      200: json('No job is late.', jobs, { status: 'ok', jobs: [JOB] }),
      503: json('A job is late, or unknown.', jobs, {
        status: 'late',
        jobs: [{ ...JOB, status: 'late', ageSeconds: 100_000 }],
      }),
      500: SERVER_PROBLEMS[500],
    },
  });
  app.openapi(jobsRoute, async (context) => {
    const found = [...(await readJobs())];
    const status = worst(found.map((job) => job.status));
    return status === 'ok' ? context.json({ status, jobs: found }, 200) : context.json({ status, jobs: found }, 503);
  });
  const overallRoute = createRoute({
    method: 'get',
    path: '/api/health',
    tags: TAGS,
    summary: 'The API, its database and Stripe in one answer',
    responses: {
      200: json('The database answers; `degraded` when Stripe was not reached for too long.', overall, {
        status: 'ok',
        db: 'ok',
        stripe: 'ok',
      }),
      503: json('The database does not answer.', overall, unavailable('down')),
      500: SERVER_PROBLEMS[500],
    },
  });
  app.openapi(overallRoute, async (context) => {
    const db = await checkDatabase(dependencies);
    if (db === 'down' || db === 'slow') return context.json(unavailable(db), 503);
    const stripe = await stripeState(dependencies);
    if (db === 'recovery') return context.json({ ...unavailable(db), stripe }, 503);
    return context.json({ status: stripe === 'ok' ? ('ok' as const) : ('degraded' as const), db, stripe }, 200);
  });
  for (const { path, isProbe } of API_ROUTES) if (isProbe) addHead(app, path);
}

/** By the database alone: archives, which the other jobs are looked up in, would make a probe wait. Never throws. */
async function stripeState(dependencies: ApiDependencies): Promise<'ok' | 'stale' | 'unknown'> {
  const { clock, log } = dependencies;
  try {
    const last = await dependencies.database.use(lastReconciliation);
    const ageHours = last === null ? Infinity : (clock().getTime() - Date.parse(last)) / 3_600_000;
    return ageHours <= RECONCILIATION_LIMIT_HOURS ? 'ok' : 'stale';
  } catch (error) {
    log.warn('The last reconciliation could not be looked up', { reason: messageOf(error) });
    return 'unknown';
  }
}

function unavailable(db: DatabaseState) {
  return { status: 'unavailable', db, stripe: 'unknown' } as const;
}

function worst(states: readonly ('ok' | 'late' | 'unknown')[]): 'ok' | 'late' | 'unknown' {
  if (states.includes('late')) return 'late';
  return states.includes('unknown') ? 'unknown' : 'ok';
}
