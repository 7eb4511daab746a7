import { Metrics } from '@aws-lambda-powertools/metrics';
import Stripe from 'stripe';
import { createPublisher } from '../../../lambdas/processor/publish';
import { tally } from '../../../lambdas/processor/tally';
import { boundedNames } from '../../../core/providers/bounded-names';
import { appOf, planOf, STRIPE_API_VERSION, typeLabel } from '../../../core/providers/stripe/event-labels';
import { ENDPOINT_EVENT_TYPES } from '../../../core/providers/stripe/event-effect';
import { queuedStripe } from '../../../core/providers/stripe/queued';
import { eventLanes } from '../../../core/providers/stripe/requests';
import {
  account,
  EPOCH,
  invoice,
  olderInvoice,
  olderSubscription,
  stripeEvent,
  subscription,
} from '../../factories/stripe-objects';

type EmfRecord = Record<string, unknown> & { _aws: { CloudWatchMetrics: { Dimensions: string[][] }[] } };

describe('metric labels', () => {
  test('are `other` for names beyond the limit and names that CloudWatch rejects, and `none` without a name', () => {
    const name = boundedNames(2);

    expect(['a', 'b', 'c', 'a', '', null, 'é', '\n', 'x'.repeat(101)].map((value) => name(value))).toEqual([
      'a',
      'b',
      'other',
      'a',
      'none',
      'none',
      'other',
      'other',
      'other',
    ]);
  });

  test('are `other` for event types that the endpoint is not subscribed to', () => {
    expect(typeLabel('charge.refunded')).toBe('charge.refunded');
    expect(typeLabel('tax.settings.updated')).toBe('other');
  });

  test.each([
    ['its own metadata', subscription(), 'academy'],
    ["its subscription's metadata", invoice(), 'academy'],
    ["its subscription's metadata before 2025", olderInvoice(), 'academy'],
    ['the configured default', subscription({ metadata: {} }), 'default_app'],
    ['the configured default when the metadata is malformed', { metadata: [{ app_id: 1 }], parent: 7 }, 'default_app'],
  ])('take the app of an event from %s', (_source, object, app) => {
    expect(appOf(stripeEvent('x', object), 'default_app')).toBe(app);
  });

  test('take the plan of a subscription from its price, or from its plan in old shapes', () => {
    expect(planOf(stripeEvent('x', subscription()))).toBe('price_pro');
    expect(planOf(stripeEvent('x', olderSubscription({ items: { data: [{ plan: { id: 'plan_1' } }] } })))).toBe(
      'plan_1',
    );
    expect(planOf(stripeEvent('x', {}))).toBeNull();
  });
});

describe('event types', () => {
  test('are each listed once, in requests of at most 20 types', () => {
    const lanes = eventLanes(ENDPOINT_EVENT_TYPES, {});

    expect(lanes.flatMap(({ types }) => types)).toEqual([...new Set(ENDPOINT_EVENT_TYPES)]);
    expect(Math.max(...lanes.map(({ types }) => types?.length ?? 0))).toBeLessThanOrEqual(20);
  });
});

describe('the metrics of a batch', () => {
  const tallied = (defaultAppId: string | null) =>
    tally(events.map((event) => queuedStripe.signalsOf(event, defaultAppId)));
  const created = () => stripeEvent('customer.subscription.created', subscription());
  const events = [
    created(),
    created(),
    stripeEvent('customer.subscription.deleted', subscription({ metadata: {} })),
    stripeEvent('account.updated', account({ payouts_enabled: false })),
    stripeEvent('account.updated', account()),
    stripeEvent('invoice.paid', invoice(), { api_version: '2019-12-03' }),
    stripeEvent('invoice.paid', invoice(), { api_version: null }),
  ];

  test('count subscriptions by change, app and plan, and restricted accounts and other API versions by event', () => {
    expect(tallied(null)).toEqual({
      subscriptions: [
        { change: 'created', app: 'academy', plan: 'price_pro', count: 2 },
        { change: 'canceled', app: null, plan: 'price_pro', count: 1 },
      ],
      restrictedAccounts: 1,
      drifted: 1,
      driftedVersions: ['2019-12-03'],
    });
  });

  test('expect the API version that the client library is typed for', () => {
    expect(STRIPE_API_VERSION).toBe(Stripe.API_VERSION);
  });

  test('keep the dimensions of the alarms in the totals, and publish further counts in separate records', () => {
    const lines: string[] = [];
    const output = jest.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
    // Makes metrics go through the global console, where the test can see them.
    Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' });
    try {
      const metrics = new Metrics({
        namespace: 'N',
        serviceName: 'processor',
        defaultDimensions: { environment: 'test' },
      });
      createPublisher(metrics)(
        {
          response: { batchItemFailures: [] },
          processed: 3,
          ignored: 0,
          duplicates: 1,
          failed: 0,
          deferred: 0,
          parked: 0,
          createdAtSeconds: [EPOCH, EPOCH - 10],
          ...tallied('shop'),
        },
        new Date(EPOCH * 1000),
      );
      metrics.publishStoredMetrics();
    } finally {
      process.env.POWERTOOLS_DEV = 'false';
      delete process.env.POWERTOOLS_METRICS_DISABLED;
      output.mockRestore();
    }
    const records = lines.map((line) => JSON.parse(line) as EmfRecord);
    const dimensions = (record?: EmfRecord) =>
      record?.['_aws'].CloudWatchMetrics[0]?.Dimensions.map((set) => set.toSorted());
    const total = records.find((record) => 'EventsProcessed' in record);

    expect(total).toMatchObject({
      EventsProcessed: 3,
      EventsDuplicate: 1,
      EventsFailed: 0,
      EventLag: 10_000,
      ApiVersionDrift: 1,
      ConnectAccountsRestricted: 1,
    });
    expect(dimensions(total)).toEqual([['environment', 'service']]);
    expect(records.filter((record) => record !== total)).toEqual([
      expect.objectContaining({ status: 'processed', WebhookProcessed: 3 }),
      expect.objectContaining({ status: 'duplicate', WebhookProcessed: 1 }),
      expect.objectContaining({ app: 'academy', plan: 'price_pro', SubscriptionCreated: 2 }),
      expect.objectContaining({ app: 'shop', plan: 'price_pro', SubscriptionCanceled: 1 }),
    ]);
    const subscriptions = records.find((record) => 'SubscriptionCreated' in record);
    expect(dimensions(subscriptions)).toEqual([['app', 'environment', 'plan', 'service']]);
  });
});
