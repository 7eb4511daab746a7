import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type Stripe from 'stripe';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { createStripe } from '../../core/providers/stripe/client';
import type { Lane } from '../../core/providers/stripe/pages';
import * as requests from '../../core/providers/stripe/requests';
import { goTool, STRIPE_MOCK } from './tools';

const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 20_000;
const tool = goTool(STRIPE_MOCK);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Everything of the first page and everything after it, within all bounds that a lane may have. */
const CREATED: Lane['created'] = { gte: 1_790_000_000, lt: 1_793_000_000 };
const PAGES = [{ limit: 100 }, { limit: 100, starting_after: 'obj_1' }];

/** Every list that a function asks for, with every parameter that it may send. */
const LISTS: Record<string, (stripe: Stripe) => Promise<Stripe.Response<Stripe.ApiList<{ id: string }>>[]>> = {
  listEvents: (stripe) => pagesOf(requests.listEvents(stripe), [...requests.eventLanes(ENDPOINT_EVENT_TYPES, CREATED)]),
  listSubscriptions: (stripe) => pagesOf(requests.listSubscriptions(stripe)),
  listSubscriptionItems: (stripe) => pagesOf(requests.listSubscriptionItems(stripe, 'sub_1')),
  listCheckoutSessions: (stripe) => pagesOf(requests.listCheckoutSessions(stripe)),
  listCharges: (stripe) => pagesOf(requests.listCharges(stripe)),
  listRefunds: (stripe) => pagesOf(requests.listRefunds(stripe)),
  listInvoiceLines: (stripe) => pagesOf(requests.listInvoiceLines(stripe, 'in_1')),
  listCustomers: (stripe) => pagesOf(requests.listCustomers(stripe)),
  listInvoices: (stripe) => pagesOf(requests.listInvoices(stripe)),
  listInvoicePayments: (stripe) => pagesOf(requests.listInvoicePayments(stripe)),
  listPaymentIntents: (stripe) => pagesOf(requests.listPaymentIntents(stripe)),
  listDisputes: (stripe) => pagesOf(requests.listDisputes(stripe)),
  listEarlyFraudWarnings: (stripe) => pagesOf(requests.listEarlyFraudWarnings(stripe)),
  listWebhookEndpoints: (stripe) => pagesOf(requests.listWebhookEndpoints(stripe)),
  listPayouts: (stripe) => pagesOf(requests.listPayouts(stripe, 'acct_1')),
  listAccounts: (stripe) => pagesOf(requests.listAccounts(stripe)),
  ...Object.fromEntries(
    Object.entries(requests.EVIDENCE).map(([name, list]) => [
      name,
      (stripe: Stripe) => pagesOf<{ id: string }>(list(stripe, 'obj_1')),
    ]),
  ),
};

/** Every request for one object. */
const OBJECTS: Record<string, (stripe: Stripe) => Promise<{ id?: string }>> = {
  retrieveEvent: (stripe) => requests.retrieveEvent(stripe, 'evt_1'),
  retrieveOwnedSubscription: (stripe) => requests.retrieveOwnedSubscription(stripe, 'sub_1'),
  retrieveOwnedSession: (stripe) => requests.retrieveOwnedSession(stripe, 'cs_1'),
  createPayout: (stripe) =>
    requests.createPayout(
      stripe,
      'acct_1',
      { amount: 100, currency: 'eur', metadata: { billing_retry_of: 'po_1' } },
      'key_1',
    ),
};

function pagesOf<T extends { id: string }>(
  list: (lane: Lane, page: { limit: number; starting_after?: string }) => Promise<Stripe.Response<Stripe.ApiList<T>>>,
  lanes: readonly Lane[] = [{ created: CREATED }, { created: { gte: CREATED?.gte } }, { created: {} }],
): Promise<Stripe.Response<Stripe.ApiList<T>>[]> {
  return Promise.all(lanes.flatMap((lane) => PAGES.map((page) => list(lane, page))));
}

(tool ? describe : describe.skip)("Stripe's own mock of its API", () => {
  let mock: ChildProcess;
  let stripe: Stripe;

  beforeAll(async () => {
    const [http, https] = [await freePort(), await freePort()];
    const addresses = ['-http-addr', `${LOOPBACK}:${http}`, '-https-addr', `${LOOPBACK}:${https}`];
    mock = spawn(tool ?? '', addresses, { stdio: 'ignore' });
    stripe = createStripe('sk_test_123', `http://${LOOPBACK}:${http}`);
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      try {
        await stripe.events.list({ limit: 1 });
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await wait(100);
      }
    }
  });
  afterAll(() => mock.kill());

  test.each(Object.entries(LISTS))('%s is accepted with every parameter that it may send', async (_name, list) => {
    for (const answer of await list(stripe)) expect(answer).toMatchObject({ object: 'list', has_more: false });
  });

  test.each(Object.entries(OBJECTS))('%s is accepted', async (_name, retrieve) => {
    expect(await retrieve(stripe)).toMatchObject({ id: expect.any(String) });
  });

  test.each(Object.entries(requests.RETRIEVE))('a %s is retrieved by its id', async (_kind, retrieve) => {
    expect(await retrieve(stripe, 'obj_1', null)).toMatchObject({ id: expect.any(String) });
  });

  test.each([
    ['an unknown parameter', { nonsense: 'x' }],
    // It does not look into the bounds of `created`; there, the library's types are what holds.
    ['a limit that is no number', { limit: 'many' }],
    ['an unknown status', { status: 'gone' }],
  ])('%s is refused, so acceptance means something', async (_case, parameters) => {
    await expect(stripe.subscriptions.list(parameters as object)).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

test('every request is among those that were sent above, and no function makes one of its own', () => {
  const named = Object.keys(requests).filter((name) => /^(list|retrieve|create)/.test(name));
  const sent = [...Object.keys(LISTS), ...Object.keys(OBJECTS)].filter((name) => !(name in requests.EVIDENCE));
  expect(named.toSorted()).toEqual(sent.toSorted());

  const root = path.resolve(__dirname, '../..');
  const callers = ['core', 'lambdas']
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        path.join(folder, file),
      ),
    )
    .filter((file) => file.endsWith('.ts'))
    .filter((file) =>
      /\bstripe(\.\w+)+\.(list|retrieve|create|update|del|cancel|search)\(/i.test(
        readFileSync(path.join(root, file), 'utf8'),
      ),
    );
  expect(callers).toEqual(['core/providers/stripe/requests.ts']);
});
