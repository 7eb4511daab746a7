import type { Client } from 'pg';
import type { EntitlementChange } from '../../../core/entitlements/recompute';
import { readRequest } from '../../../core/runtime/request';
import {
  entitlementsRequest,
  type EntitlementsReport,
  type EntitlementsRequest,
} from '../../../lambdas/entitlements/contract';
import { administerEntitlements } from '../../../lambdas/entitlements/core';
import { charge, checkoutSession, customer, refund, stripeEvent, subscription } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements, putRules, RULES, storedEntitlements } from '../../support/entitlements';
import { silentLog } from '../../support/log';

let database: TestDatabase;
let client: Client;
let invalidated: EntitlementChange[];
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  invalidated = [];
  await putRules(client, RULES);
});
afterEach(() => database.drop());

async function ask<Report extends EntitlementsReport>(request: EntitlementsRequest): Promise<Report> {
  return (await administerEntitlements(
    {
      useDatabase: (work) => work(client),
      cache: {
        get: () => Promise.resolve(undefined),
        put: () => Promise.resolve(),
        peek: () => Promise.resolve(undefined),
        drop: () => Promise.resolve(true),
        invalidate: (changes) => {
          invalidated.push(...changes);
          return Promise.resolve();
        },
      },
      hasCache: true,
      clock: () => new Date(),
      hasTime: () => true,
      log: silentLog,
    },
    readRequest(entitlementsRequest, request),
  )) as Report;
}

const unowned = () => ask<{ unowned: { id: string }[] } & EntitlementsReport>({ action: 'unowned' });
const unownedIds = async () => (await unowned()).unowned.map(({ id }) => id);
const rows = async (sql: string) => (await client.query(sql)).rows;

const nobodys = (fields: object = {}) =>
  stripeEvent('customer.subscription.updated', subscription({ metadata: {}, ...fields }));
const bought = (fields: object = {}) =>
  stripeEvent(
    'checkout.session.completed',
    checkoutSession({ metadata: { kind: 'course', item_id: 'course_1' }, ...fields }),
  );
const assignment = {
  action: 'assign',
  objectId: 'sub_1',
  userId: 'user_7',
  reason: 'paid by bank transfer',
  by: 'ada',
} as const;

describe('the list of what belongs to nobody', () => {
  test('names running subscriptions and paid purchases with what they would grant', async () => {
    await applyWithEntitlements(client, nobodys(), bought(), nobodys({ id: 'sub_2', items: { data: [] } }));

    expect(await unowned()).toEqual({
      unowned: [
        {
          id: 'cs_1',
          source: 'purchase',
          customerId: 'cus_1',
          createdAt: '2026-11-01T00:00:00.000Z',
          features: ['course:course_1'],
        },
        expect.objectContaining({ id: 'sub_1', source: 'subscription', features: ['pro'] }),
        expect.objectContaining({ id: 'sub_2', features: [] }),
      ],
    });
  });

  test.each([
    ['its own metadata', [nobodys({ metadata: { user_id: 'user_1' } })]],
    ['its customer', [nobodys(), stripeEvent('customer.updated', customer({ metadata: { user_id: 'user_1' } }))]],
    [
      'the session that started it',
      [nobodys(), bought({ mode: 'subscription', subscription: 'sub_1', client_reference_id: 'user_1' })],
    ],
  ])('leaves out a subscription whose user is named by %s', async (_source, events) => {
    await applyWithEntitlements(client, ...events);
    expect(await unownedIds()).toEqual([]);
  });

  test.each([
    ['an unpaid purchase', [bought({ payment_status: 'unpaid' })]],
    ['an expired session', [bought({ status: 'expired' })]],
    ['a session that starts a subscription', [bought({ mode: 'subscription', subscription: 'sub_9' })]],
    [
      'a refunded purchase',
      [bought(), stripeEvent('charge.succeeded', charge()), stripeEvent('refund.created', refund({ amount: 9_900 }))],
    ],
    ['a canceled subscription', [nobodys({ status: 'canceled' })]],
    ['an incomplete subscription', [nobodys({ status: 'incomplete' })]],
  ])('leaves out %s', async (_what, events) => {
    await applyWithEntitlements(client, ...events);
    expect(await unownedIds()).toEqual([]);
  });

  test('continues after an id', async () => {
    await applyWithEntitlements(client, nobodys(), bought());
    expect(await ask({ action: 'unowned', after: 'cs_1' })).toMatchObject({ unowned: [{ id: 'sub_1' }] });
  });
});

describe('an assignment', () => {
  test('gives its user what was paid, and says who decided, when and why', async () => {
    await applyWithEntitlements(client, nobodys());

    expect(await ask({ ...assignment, projectId: 'project_7', dryRun: false })).toEqual({
      dryRun: false,
      objectId: 'sub_1',
      source: 'subscription',
      previous: { userId: null, projectId: null, appId: null },
      owner: { userId: 'user_7', projectId: 'project_7', appId: null },
      changed: 1,
    });
    expect(await storedEntitlements(client)).toEqual([expect.stringMatching(/^user_7\/project_7 pro sub_1 /)]);
    expect(invalidated).toMatchObject([{ userId: 'user_7', projectId: 'project_7' }]);
    expect(await unownedIds()).toEqual([]);
    expect(
      await rows(
        "SELECT user_id, reason, assigned_by, assigned_at > now() - interval '1 minute' AS now FROM billing.owner_assignments",
      ),
    ).toEqual([{ user_id: 'user_7', reason: 'paid by bank transfer', assigned_by: 'ada', now: true }]);
  });

  test('is dry unless the request says otherwise', async () => {
    await applyWithEntitlements(client, nobodys());

    expect(await ask(assignment)).toMatchObject({ dryRun: true, owner: { userId: 'user_7' }, changed: 1 });
    expect(await storedEntitlements(client)).toEqual([]);
    expect(await rows('SELECT FROM billing.owner_assignments')).toEqual([]);
    expect(await rows('SELECT FROM billing.owner_assignment_log')).toEqual([]);
    expect(invalidated).toEqual([]);
  });

  test('counts before the metadata, in the fields that it names, whatever arrives later', async () => {
    await applyWithEntitlements(client, nobodys({ metadata: { user_id: 'user_1', project_id: 'project_1' } }));
    await ask({ ...assignment, dryRun: false });
    await applyWithEntitlements(
      client,
      stripeEvent(
        'customer.subscription.updated',
        subscription({ metadata: { user_id: 'user_2', project_id: 'project_1' } }),
        { created: 1_793_491_300 },
      ),
    );

    expect(await storedEntitlements(client)).toEqual([expect.stringMatching(/^user_7\/project_1 pro sub_1 /)]);
  });

  test('replaces an earlier one, which stays on record', async () => {
    await applyWithEntitlements(client, bought());
    await ask({ ...assignment, objectId: 'cs_1', dryRun: false });
    await ask({ ...assignment, objectId: 'cs_1', userId: 'user_8', reason: 'mistyped', dryRun: false });

    expect(await storedEntitlements(client)).toEqual([expect.stringMatching(/^user_8\/ course:course_1 cs_1 /)]);
    expect(await rows('SELECT user_id, reason FROM billing.owner_assignment_log ORDER BY id')).toEqual([
      { user_id: 'user_7', reason: 'paid by bank transfer' },
      { user_id: 'user_8', reason: 'mistyped' },
    ]);
  });

  test.each([
    [{ objectId: 'sub_unknown' }, 'source_not_found', /No subscription or checkout session sub_unknown is stored/],
    [{ objectId: 'cs_of_subscription' }, 'source_belongs_to_subscription', /assign the subscription that it started/],
  ])('of %j is refused', async (fields, code, message) => {
    await applyWithEntitlements(client, bought({ id: 'cs_of_subscription', mode: 'subscription' }));
    await expect(ask({ ...assignment, ...fields, dryRun: false })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test.each([
    [{ userId: undefined }, 'request: expected at least one of userId, projectId and appId'],
    [{ reason: ' ' }, 'reason: expected a text that says why, 1 to 500 characters'],
    [{ by: undefined }, 'by: missing; expected a text that says who decides, 1 to 500 characters'],
  ])('with %j is refused with the field and the form', async (fields, message) => {
    await expect(ask({ ...assignment, ...fields } as EntitlementsRequest)).rejects.toThrow(message);
  });
});
