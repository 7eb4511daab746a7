import { createRoute } from '@hono/zod-openapi';
import * as z from 'zod';
import { currencyFigures, subscriptionFigures as subscriptionFiguresSchema } from '../../core/entitlements/contract';
import {
  DEFAULT_RANGE_DAYS,
  MAX_RANGE_DAYS,
  rangeOf,
  revenueFigures,
  subscriptionFigures,
  type Range,
} from '../../core/entitlements/figures';
import type { Caller } from '../../core/keys/authenticate';
import { isoTime } from '../../core/runtime/contract';
import type { ApiDependencies } from './dependencies';
import { fieldsOf } from './fields';
import { requireProject } from './gate';
import { projectId } from './ids';
import { invalidRequest } from './problem';
import type { Router } from './router';
import { BAD_REQUEST, json, KEY_PROBLEMS, SECURITY, SERVER_PROBLEMS } from './schemas';

const momentForm = 'expected a date such as 2026-11-01 (UTC), or an ISO 8601 time with a zone';
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })], { error: momentForm });
const rangeQuery = fieldsOf('query', {
  from: moment.optional().describe(`First moment. Default: ${DEFAULT_RANGE_DAYS} days before \`to\`.`),
  to: moment
    .optional()
    .describe(`Moment that the range ends before, at most ${MAX_RANGE_DAYS} days later. Default: now.`),
});
const projectPath = fieldsOf('path', { id: projectId.describe('Id of the project, percent-encoded.') });
const rangeShape = { project: z.string(), from: isoTime, to: isoTime };

const subscriptionsSchema = z
  .strictObject({ ...rangeShape, ...subscriptionFiguresSchema.shape })
  .meta({ id: 'SubscriptionFigures' });
const revenueSchema = z
  .strictObject({
    ...rangeShape,
    currencies: z.array(currencyFigures).describe('Amounts of different currencies are not added.'),
  })
  .meta({ id: 'Revenue' });

const EXAMPLE = { project: 'project-1', from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z' };

const route = <Schema extends z.ZodType>(
  what: 'subscriptions' | 'revenue',
  summary: string,
  schema: Schema,
  example: z.input<Schema>,
) =>
  createRoute({
    method: 'get',
    path: `/api/v1/metrics/project/{id}/${what}` as const,
    tags: ['Metrics'],
    summary,
    security: SECURITY,
    request: { params: projectPath, query: rangeQuery },
    responses: {
      200: json(summary, schema, example),
      ...BAD_REQUEST,
      ...KEY_PROBLEMS,
      ...SERVER_PROBLEMS,
    },
  });

const subscriptionsRoute = route('subscriptions', 'How many subscriptions a project has', subscriptionsSchema, {
  ...EXAMPLE,
  byStatus: { active: 41, canceled: 7 },
  ending: 2,
  started: 5,
  ended: 3,
});
const revenueRoute = route('revenue', 'What a project took in, by currency, less refunds', revenueSchema, {
  ...EXAMPLE,
  currencies: [{ currency: 'usd', gross: 290_000, refunded: 2_900, net: 287_100, charges: 100 }],
});

/** The routes about what a project earns. */
export function addProjectMetrics(app: Router, { database, clock }: ApiDependencies): void {
  const figures = async <T>(
    caller: Caller | undefined,
    id: string,
    query: z.infer<typeof rangeQuery>,
    look: (client: Parameters<typeof subscriptionFigures>[0], range: Range) => Promise<T>,
  ) => {
    requireProject(caller, id);
    const { from, to } = checkedRange(query, clock());
    const found = await database.use((client) => look(client, { from, to }));
    return { project: id, from: from.toISOString(), to: to.toISOString(), ...found };
  };
  app.openapi(subscriptionsRoute, async (context) => {
    const { id } = context.req.valid('param');
    const look = (client: Parameters<typeof subscriptionFigures>[0], span: Range) =>
      subscriptionFigures(client, id, span);
    return context.json(await figures(context.get('caller'), id, context.req.valid('query'), look), 200);
  });
  app.openapi(revenueRoute, async (context) => {
    const { id } = context.req.valid('param');
    const look = async (client: Parameters<typeof revenueFigures>[0], span: Range) => ({
      currencies: await revenueFigures(client, id, span),
    });
    return context.json(await figures(context.get('caller'), id, context.req.valid('query'), look), 200);
  });
}

/** @throws Problem 400 naming the field */
function checkedRange(query: z.infer<typeof rangeQuery>, now: Date): Range {
  const range = rangeOf(query, now);
  if ('problemOfFrom' in range) throw invalidRequest([{ field: 'query.from', detail: range.problemOfFrom }]);
  return range;
}
