import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import { API_ALIAS, type BaseEnvironment, type BillingDatabaseEnvironment } from '../../core/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';
import { entitlementRules } from '../../core/entitlements/contract';

export interface EntitlementsEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {}

const id = (form: string) => z.string({ error: form }).min(1, form).max(500, form);
const userId = id('expected the id of a user');
const ownerId = (of: string) => id(`expected the id of ${of}`);
const remark = (what: string) => {
  const form = `expected a text that says ${what}, 1 to 500 characters`;
  return z.string({ error: form }).trim().min(1, form).max(500, form);
};
const scopeForm = 'expected `all`, {userId} or {projectId}';

const recomputeScope = z
  .union(
    [
      z.literal('all'),
      z
        .strictObject({ userId: userId.optional(), projectId: id('expected the id of a project').optional() })
        .refine((scope) => (scope.userId === undefined) !== (scope.projectId === undefined), scopeForm),
    ],
    { error: scopeForm },
  )
  .describe('Whose entitlements are computed: `all`, {"userId": …} or {"projectId": …}.');
/** Whose entitlements are computed again: of everybody, or of exactly one user or project. */
export type RecomputeScope = Readonly<z.infer<typeof recomputeScope>>;

const dropScope = z
  .union(
    [
      z.literal('all'),
      z
        .strictObject({ userId: userId.optional(), projectId: z.string().max(500).optional() })
        .refine((scope) => (scope.userId ?? scope.projectId) !== undefined, 'expected userId, projectId or both'),
    ],
    { error: 'expected `all`, or {userId}, {projectId} or both' },
  )
  .describe('Whose entries: `all`, {"userId": …}, {"projectId": …}, or both.');
/** Whose entries of the cache are dropped. */
export type DropScope = Readonly<z.infer<typeof dropScope>>;

export const entitlementsRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('cached').describe('Answers what the cache has of a user, beside what the database has.'),
    userId: userId.describe('Id of the user.'),
    projectId: z.string().max(500).describe('Id of the project; empty for entitlements that belong to no project.'),
  }),
  z.strictObject({
    action: z.literal('drop-cached').describe('Drops entries of the cache; the next answers come from the database.'),
    scope: dropScope,
  }),
  z.strictObject({
    action: z
      .literal('recompute')
      .describe('Computes entitlements again from the stored subscriptions, purchases and refunds.'),
    scope: recomputeScope,
    cursor: z
      .string({ error: 'expected the cursor of an earlier answer' })
      .optional()
      .describe('`cursor` of an earlier answer that ran out of time. Default: from the beginning.'),
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('put-rules')
      .describe('Replaces all rules by these, then computes the entitlements of every user again.'),
    rules: entitlementRules.describe('The whole set of rules.'),
    dryRun,
  }),
  z.strictObject({ action: z.literal('get-rules').describe('Answers with the rules in force.') }),
  z.strictObject({
    action: z
      .literal('unowned')
      .describe('Lists subscriptions that run, and paid purchases, of which nothing says to which user they belong.'),
    after: z
      .string({ error: 'expected `after` of an earlier answer' })
      .optional()
      .describe('`after` of an earlier answer that did not hold all. Default: from the first.'),
  }),
  z
    .strictObject({
      action: z
        .literal('assign')
        .describe('Says whose a subscription or a purchase is, before everything that metadata say, and for good.'),
      objectId: id('expected the id of a subscription or a checkout session').describe(
        'Id of the subscription or the checkout session.',
      ),
      userId: ownerId('a user').optional().describe('Id of the user. Default: as metadata say.'),
      projectId: ownerId('a project').optional().describe('Id of the project. Default: as metadata say.'),
      appId: ownerId('an app').optional().describe('Id of the app. Default: as metadata say.'),
      reason: remark('why').describe('Why it is assigned so; kept with the assignment.'),
      by: remark('who decides').describe('Name of who decides; kept with the assignment.'),
      dryRun,
    })
    .refine(({ userId: user, projectId, appId }) => (user ?? projectId ?? appId) !== undefined, {
      error: 'expected at least one of userId, projectId and appId',
    }),
  z.strictObject({
    action: z.literal('read').describe('Answers what a user may use in a project now, and why.'),
    userId: userId.describe('Id of the user.'),
    projectId: z
      .string({ error: 'expected the id of a project, or empty for none' })
      .max(500)
      .describe('Id of the project; empty for entitlements that belong to no project.'),
  }),
]);
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedEntitlementsRequest = Readonly<z.infer<typeof entitlementsRequest>>;
export type EntitlementsRequest = Readonly<z.input<typeof entitlementsRequest>>;

const recomputed = {
  sources: z.int().describe('Subscriptions and purchases whose entitlements were computed.'),
  changed: z
    .int()
    .describe(
      'Users, each in one project, whose entitlements changed; in a dry run, would change. 0 when they were right.',
    ),
  cursor: z.string().optional().describe('Where to continue, when the time was up before everything was computed.'),
};

export const recomputeReport = z.strictObject({
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  ...recomputed,
});

const rulesCount = z.int().describe('Rules in the request.');
export const putRulesReport = z.strictObject({ dryRun: z.literal(false), rules: rulesCount, ...recomputed });

/** What new rules would change; nothing was changed. */
export const putRulesPlan = z.strictObject({
  dryRun: z.literal(true),
  rules: rulesCount,
  usersGaining: z.int().describe('Users, each in one project, who would gain a feature.'),
  usersLosing: z.int().describe('Users, each in one project, who would lose a feature.'),
  changes: z
    .array(
      z.strictObject({
        userId: z.string(),
        projectId: z.string().describe('Empty for none.'),
        gained: z.array(z.string()).describe('Features that the user would gain.'),
        lost: z.array(z.string()).describe('Features that the user would lose.'),
      }),
    )
    .describe('The first 100 changes, those that take a feature away before the others.'),
});

export const getRulesReport = z.strictObject({ rules: entitlementRules.describe('The rules in force, by their ids.') });

export const readReport = z.strictObject({
  version: z.int().describe('Grows with every change; 0 for a user who never had any.'),
  entitlements: z
    .array(
      z.strictObject({
        feature: z.string(),
        source: z.enum(['subscription', 'purchase']),
        sourceId: z.string().describe('Id of the subscription or the purchase.'),
        validFrom: isoTime.describe('ISO time.'),
        validUntil: isoTime.nullable().describe('ISO time; null for what was bought for good.'),
      }),
    )
    .readonly()
    .describe('Those that hold now, one per source: a feature may come from several.'),
});

export const unownedReport = z.strictObject({
  unowned: z
    .array(
      z.strictObject({
        id: z.string(),
        source: z.enum(['subscription', 'purchase']),
        customerId: z.string().nullable().describe('Customer at Stripe; null for none.'),
        createdAt: isoTime.describe('ISO time.'),
        features: z
          .array(z.string())
          .readonly()
          .describe('What its user would be granted; none when no rule is about it.'),
      }),
    )
    .describe('By their ids, the first 1000.'),
  after: z.string().optional().describe('Where to continue, when there are more.'),
});

const owner = z.strictObject({
  userId: z.string().nullable(),
  projectId: z.string().nullable(),
  appId: z.string().nullable(),
});
export const assignReport = z.strictObject({
  dryRun: z.boolean().describe('`true` when nothing was assigned.'),
  objectId: z.string(),
  source: z.enum(['subscription', 'purchase']),
  previous: owner.describe('Its owner before.'),
  owner: owner.describe('Its owner from now on; in a dry run, as it would be.'),
  changed: z.int().describe('Users, each in one project, whose entitlements changed; in a dry run, would change.'),
});
export type AssignReport = Readonly<z.infer<typeof assignReport>>;

export const cachedReport = z.strictObject({
  state: z
    .enum(['none', 'unavailable', 'missing', 'dropped', 'stored', 'unreadable'])
    .describe(
      '`none`: the environment has no cache. `unavailable`: it did not answer. `missing`: no entry, so the next answer comes from the database. `dropped`: a mark that keeps older versions out. `stored`: answers come from it. `unreadable`: of another release, and not used.',
    ),
  cachedVersion: z.int().nullable(),
  databaseVersion: z.int().describe('0 for a user who never had any.'),
  outdated: z.boolean().describe('Whether it answers with an older version than the database has.'),
  features: z.array(z.string()).describe('Features of the stored entry, past and future ones included.'),
});

export const dropCachedReport = z.strictObject({
  state: z.enum(['none', 'unavailable', 'dropped']),
  dropped: z.int().describe('Entries that were dropped, of users who ever had entitlements.'),
});

const entitlementsReport = z.union([
  cachedReport,
  dropCachedReport,
  recomputeReport,
  putRulesReport,
  putRulesPlan,
  getRulesReport,
  readReport,
  unownedReport,
  assignReport,
]);
export type EntitlementsReport = Readonly<z.infer<typeof entitlementsReport>>;

/** Of one user: never the rules, nor whose a purchase is. */
const requestOfApi = z.strictObject({
  action: z.literal('recompute'),
  scope: z.strictObject({ userId }),
  dryRun: z.literal(false),
});

/** Computes entitlements again, changes their rules or the owner of a purchase, or answers what a user may use. */
export const contract = {
  request: entitlementsRequest,
  report: entitlementsReport,
  effect: {
    cached: 'reads',
    // It adds marks to the cache, which answers nothing wrong with or without them.
    'drop-cached': 'adds',
    recompute: 'changes',
    'put-rules': 'changes',
    'get-rules': 'reads',
    unowned: 'reads',
    assign: 'changes',
    read: 'reads',
  },
  aliases: { [API_ALIAS]: requestOfApi },
} as const satisfies OperationContract;

export const ENTITLEMENTS_METRICS = {
  /** Users, each in one project, whose entitlements were not what the stored state grants. */
  changed: 'EntitlementsChanged',
  failed: 'EntitlementsFailed',
  durationMs: 'EntitlementsDuration',
} as const;
