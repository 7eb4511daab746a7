import { html } from 'hono/html';
import { createMiddleware } from 'hono/factory';
import * as z from 'zod';
import { readEntitlements } from '../../../core/entitlements/read';
import type { ApiDependencies } from '../dependencies';
import { userId } from '../ids';
import { createJobReader } from '../jobs';
import { fieldsOf } from '../fields';
import { asProblem, fieldProblems, invalidRequest } from '../problem';
import { actionRequest, createRouter, type ApiContext, type Router } from '../router';
import { readAsset } from './assets';
import { createActivityReader } from './kept';
import { inspect } from './reports';
import { retryEvents, retryRequest } from './retry';
import { backupsView } from './views/backups';
import { entitlementsView } from './views/entitlements';
import { bitcoinView } from './views/bitcoin';
import { eventsView, eventView } from './views/events';
import { outcomeView } from './views/outcome';
import { overviewView } from './views/overview';
import { paymentsView } from './views/payments';
import { reconciliationView } from './views/reconciliation';
import { shell } from './views/shell';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Lets the page load its own script and style and nothing else. Registered before the headers of all other answers. */
export const pagePolicy = createMiddleware<ApiContext>(async (context, next) => {
  await next();
  context.res.headers.set('content-security-policy', POLICY);
});

const PAGE_SIZE = 50;
/** Projects of one user that are shown. */
const MAX_PROJECTS = 20;

const STATUSES = ['received', 'processing', 'processed', 'ignored', 'failed', 'dismissed'] as const;
const idForm = 'expected an id of 1 to 255 characters, none of them a control character';
const id = z
  .string({ error: idForm })
  .min(1, idForm)
  .max(255, idForm)
  .regex(/^\P{Cc}+$/u, idForm);
const cursorForm = 'expected the address of a page of events';
const eventsQuery = fieldsOf('query', {
  status: z.enum(STATUSES, { error: `expected one of ${STATUSES.join(', ')}` }).optional(),
  about: id.optional(),
  before: z
    .string()
    .regex(/^\d{1,17}\.[!-~]{1,255}$/, cursorForm)
    .optional(),
});
const runForm = 'expected the id of a run';
const runQuery = fieldsOf('query', {
  run: z
    .string()
    .regex(/^\d{1,18}$/, runForm)
    .optional(),
});
const userQuery = fieldsOf('query', { user: userId.optional() });

/** @throws Problem 400 that names each malformed field */
function checked<Schema extends z.ZodType>(schema: Schema, value: unknown, part: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidRequest(fieldProblems(result.error.issues, part));
}

/** The routes of the Stability page. Each is in `ADMIN_ROUTES`, which says who may call it. */
export function createAdmin(dependencies: ApiDependencies): Router {
  const app = createRouter();
  const page = shell(dependencies.bitcoin !== undefined);
  app.get('/admin', (context) => context.html(page, 200, { 'cache-control': 'no-cache' }));
  const asset = (name: 'page.js' | 'style.css', type: string) => {
    const content = readAsset(name);
    app.get(`/admin/${name}`, (context) =>
      context.body(content, 200, { 'content-type': type, 'cache-control': 'public, max-age=300' }),
    );
  };
  asset('page.js', 'text/javascript; charset=utf-8');
  asset('style.css', 'text/css; charset=utf-8');
  addOverview(app, dependencies);
  addEvents(app, dependencies);
  addRecords(app, dependencies);
  addEntitlementLookUp(app, dependencies);
  return app;
}

/** What was asked for, or why it could not be looked up: the rest of a view is shown all the same. */
const orReason =
  ({ log }: Pick<ApiDependencies, 'log'>) =>
  async <T>(asked: Promise<T>): Promise<T | string> =>
    asked.catch((error: unknown) => asProblem(error, log).detail);

function addOverview(app: Router, dependencies: ApiDependencies): void {
  const readJobs = createJobReader(dependencies);
  const readActivity = createActivityReader(dependencies);
  const { bitcoin: takesBitcoin, providers, clock } = dependencies;
  const attempt = orReason(dependencies);
  app.get('/admin/view/overview', async (context) => {
    // One after the other: `inspect` has few instances, and operators need them, too.
    const status = await attempt(inspect(dependencies, 'status'));
    const activity = await attempt(readActivity());
    const alarms = await attempt(inspect(dependencies, 'alarms'));
    const jobs = await readJobs();
    return context.html(overviewView({ status, activity, alarms, jobs }, clock()));
  });
  app.get('/admin/view/payments', async (context) => {
    const activity = await attempt(readActivity());
    const payouts = await attempt(inspect(dependencies, 'payouts', { open: true, limit: PAGE_SIZE }));
    const bitcoin = takesBitcoin && { bitcoin: await attempt(inspect(dependencies, 'bitcoin', { limit: 1 })) };
    return context.html(paymentsView({ activity, payouts, ...bitcoin }, providers, clock()));
  });
}

function addEvents(app: Router, dependencies: ApiDependencies): void {
  const attempt = orReason(dependencies);
  app.get('/admin/view/events', async (context) => {
    const filter = checked(eventsQuery, context.req.query(), 'query');
    const report = await inspect(dependencies, 'events', { ...filter, limit: PAGE_SIZE });
    return context.html(eventsView(report, filter, dependencies.clock()));
  });
  app.get('/admin/view/event/:id', async (context) => {
    const { event } = await inspect(dependencies, 'event', { id: checked(id, context.req.param('id'), 'path.id') });
    const objectId = event?.objectId ?? null;
    const related =
      objectId === null ? undefined : await attempt(inspect(dependencies, 'events', { about: objectId, limit: 20 }));
    const events = typeof related === 'object' ? related.events : [];
    return context.html(eventView(event, events, dependencies.clock()));
  });
  app.post('/admin/retry', async (context) => {
    const body: unknown = await context.req.json().catch(() => undefined);
    const { report, next } = await retryEvents(
      dependencies,
      actionRequest(context),
      checked(retryRequest, body, 'body'),
    );
    return context.html(html`<div data-next="${next ?? ''}">${outcomeView(report)}</div>`);
  });
}

function addRecords(app: Router, dependencies: ApiDependencies): void {
  const attempt = orReason(dependencies);
  app.get('/admin/view/backups', async (context) => {
    const databases = [];
    for (const database of ['billing', 'main']) {
      const archives = await attempt(inspect(dependencies, 'archives', { database, limit: 8 }));
      const drills = await attempt(inspect(dependencies, 'drills', { database, limit: 5 }));
      databases.push({ database, archives, drills });
    }
    return context.html(backupsView(databases, dependencies.clock()));
  });
  app.get('/admin/view/reconciliation', async (context) => {
    const { run } = checked(runQuery, context.req.query(), 'query');
    const runs = await attempt(inspect(dependencies, 'reconciliations', { limit: 14 }));
    const findings = await attempt(
      inspect(dependencies, 'findings', { limit: 100, ...(run === undefined ? {} : { runId: run }) }),
    );
    return context.html(reconciliationView(runs, findings, dependencies.clock()));
  });
  app.get('/admin/view/bitcoin', async (context) => {
    const report = await attempt(inspect(dependencies, 'bitcoin', { limit: PAGE_SIZE }));
    return context.html(bitcoinView(report, dependencies.clock()));
  });
}

function addEntitlementLookUp(app: Router, dependencies: ApiDependencies): void {
  const { database, cache, clock } = dependencies;
  app.get('/admin/view/entitlements', async (context) => {
    const { user } = checked(userQuery, context.req.query(), 'query');
    if (user === undefined) return context.html(entitlementsView(undefined));
    const { rows } = await database.use((client) =>
      client.query<{ project_id: string }>(
        'SELECT project_id FROM billing.entitlement_versions WHERE user_id = $1 ORDER BY project_id LIMIT $2',
        [user, MAX_PROJECTS],
      ),
    );
    const projects = [];
    for (const { project_id: projectId } of rows) {
      const reader = { useDatabase: database.use.bind(database), cache, clock };
      const { entitlements } = await readEntitlements(reader, user, projectId);
      projects.push({ projectId, entitlements });
    }
    return context.html(entitlementsView(projects));
  });
}
