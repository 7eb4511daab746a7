import { createHash } from 'node:crypto';
import { createRoute } from '@hono/zod-openapi';
import * as z from 'zod';
import { readEntitlements, type CurrentEntitlements } from '../../core/entitlements/read';
import { isoTime } from '../../core/runtime/contract';
import type { ApiDependencies } from './dependencies';
import { audited } from './audited';
import { fieldsOf } from './fields';
import { requireProject } from './gate';
import { projectId, userId } from './ids';
import { actionRequest, type Router } from './router';
import { BAD_REQUEST, BODY_PROBLEMS, json, KEY_PROBLEMS, SECURITY, SERVER_PROBLEMS, STILL_RUNNING } from './schemas';

const userPath = fieldsOf('path', { user: userId.describe('Id of the user, percent-encoded.') });
const projectQuery = fieldsOf('query', {
  project: projectId
    .optional()
    .describe('Id of the project. Default: what belongs to no project, for keys of every project only.'),
});

const entitlementsSchema = z
  .strictObject({
    user: z.string(),
    project: z.string().nullable(),
    version: z.int().describe('Grows with every change; 0 for a user who never had any.'),
    features: z
      .array(
        z.strictObject({
          feature: z.string(),
          until: isoTime.nullable().describe('ISO time; null for what was bought for good.'),
          because: z
            .array(
              z.strictObject({
                source: z.enum(['subscription', 'purchase']),
                id: z.string().describe('Id of the subscription or the purchase at the provider.'),
                from: isoTime,
                until: isoTime.nullable(),
              }),
            )
            .describe('What grants it, each until when.'),
        }),
      )
      .describe('What the user may use now, by name.'),
  })
  .meta({ id: 'Entitlements' });

const EXAMPLE: z.infer<typeof entitlementsSchema> = {
  user: 'user-1',
  project: 'project-1',
  version: 3,
  features: [
    {
      feature: 'pro',
      until: '2026-12-04T10:00:00.000Z',
      because: [
        {
          source: 'subscription',
          id: 'sub_1',
          from: '2026-11-01T10:00:00.000Z',
          until: '2026-12-04T10:00:00.000Z',
        },
      ],
    },
  ],
};

const recomputedSchema = z
  .strictObject({
    sources: z.int().describe('Subscriptions and purchases whose entitlements were computed.'),
    changed: z.int().describe('Projects in which the entitlements of the user changed.'),
  })
  .meta({ id: 'Recomputed' });
/** What is read of the report of the function `entitlements`. */
const recomputed = z.object({ sources: z.int(), changed: z.int() });

const readRoute = createRoute({
  method: 'get',
  path: '/api/v1/entitlements/{user}',
  tags: ['Entitlements'],
  summary: 'What a user may use in a project now, and why',
  security: SECURITY,
  request: {
    params: userPath,
    query: projectQuery,
    headers: z.object({ 'if-none-match': z.string().max(2_000).optional().describe('`ETag` of an earlier answer.') }),
  },
  responses: {
    200: {
      ...json('Empty features for a user who has none, or is not known.', entitlementsSchema, EXAMPLE),
      headers: { ETag: { schema: { type: 'string' }, description: 'Changes with the answer.' } },
    },
    304: { description: 'The answer has not changed.' },
    ...BAD_REQUEST,
    ...KEY_PROBLEMS,
    ...SERVER_PROBLEMS,
  },
});

const recomputeRoute = createRoute({
  method: 'post',
  path: '/api/v1/entitlements/{user}/recompute',
  tags: ['Entitlements'],
  summary: 'Computes what a user may use again, in every project, from what is stored',
  security: SECURITY,
  request: { params: userPath },
  responses: {
    200: json('Done. It changes nothing where the entitlements were right.', recomputedSchema, {
      sources: 2,
      changed: 1,
    }),
    ...BAD_REQUEST,
    ...BODY_PROBLEMS,
    ...KEY_PROBLEMS,
    ...SERVER_PROBLEMS,
    ...STILL_RUNNING,
  },
});

/** The routes about what a user may use. */
export function addEntitlements(app: Router, dependencies: ApiDependencies): void {
  const { database, cache, clock, ask } = dependencies;
  app.openapi(readRoute, async (context) => {
    const { user } = context.req.valid('param');
    const { project = '' } = context.req.valid('query');
    requireProject(context.get('caller'), project);
    const current = await readEntitlements({ useDatabase: (work) => database.use(work), cache, clock }, user, project);
    const answer = describe(user, project, current);
    const etag = `"${createHash('sha256').update(JSON.stringify(answer)).digest('base64url')}"`;
    // A key that is revoked must not go on by what a cache kept: it asks again, and mostly gets a 304.
    const headers = { etag, 'cache-control': 'private, no-cache', vary: 'Authorization' };
    const { 'if-none-match': known = '' } = context.req.valid('header');
    if (known.split(',').some((tag) => [etag, `W/${etag}`, '*'].includes(tag.trim())))
      return context.body(null, 304, headers);
    return context.json(answer, 200, headers);
  });
  app.openapi(recomputeRoute, async (context) => {
    const { user } = context.req.valid('param');
    const { sources, changed } = await audited(
      dependencies,
      actionRequest(context),
      `recompute entitlements of ${user}`,
      async (signal) =>
        recomputed.parse(
          await ask('entitlements', { action: 'recompute', scope: { userId: user }, dryRun: false }, signal),
        ),
    );
    return context.json({ sources, changed }, 200);
  });
}

function describe(user: string, project: string, { version, entitlements }: CurrentEntitlements) {
  const names = [...new Set(entitlements.map(({ feature }) => feature))].toSorted();
  return {
    user,
    project: project === '' ? null : project,
    version,
    features: names.map((feature) => {
      const because = entitlements
        .filter((each) => each.feature === feature)
        .map(({ source, sourceId, validFrom, validUntil }) => ({
          source,
          id: sourceId,
          from: validFrom,
          until: validUntil,
        }));
      return { feature, until: latest(because.map(({ until }) => until)), because };
    }),
  };
}

/** Null, which is for good, is the latest. */
function latest(times: readonly (string | null)[]): string | null {
  if (times.includes(null)) return null;
  return times.reduce((one, other) => ((one ?? '') > (other ?? '') ? one : other), times[0] ?? null);
}
