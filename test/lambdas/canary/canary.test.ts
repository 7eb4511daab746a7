import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import { stripeWebhooks } from '../../../core/providers/stripe/webhooks';
import { sendCanary, type CanaryDependencies } from '../../../lambdas/canary/core';
import { respond } from '../../../lambdas/webhook/respond';
import { silentLog } from '../../support/log';

const { path } = WEBHOOK_ENDPOINTS.stripe;
const SECRET = 'whsec_canary';

/** What the queue was sent. */
let queued: { id: string; type: string; livemode: boolean }[] = [];
/** Answers before the function does, as a firewall would. */
let blockedBy: number | undefined;
let server: Server;

beforeAll(async () => {
  // An endpoint of live events, with the function's own verification.
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (blockedBy !== undefined) return void response.writeHead(blockedBy).end('Forbidden');
      const headers = request.headers as Record<string, string>;
      const body = Buffer.concat(chunks).toString('base64');
      return void respond(
        { resource: request.url ?? '', headers, body, isBase64Encoded: true },
        {
          endpoints: { [path]: { scheme: stripeWebhooks, secrets: () => Promise.resolve({ current: SECRET }) } },
          livemode: true,
          send: (message) => Promise.resolve(void queued.push(JSON.parse(message) as (typeof queued)[number])),
          clock: () => new Date(),
          log: silentLog,
        },
      ).then(({ answer }) => response.writeHead(answer.statusCode).end(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
beforeEach(() => {
  queued = [];
  blockedBy = undefined;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const send = (overrides: Partial<CanaryDependencies> = {}) =>
  sendCanary({
    endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    signingSecret: SECRET,
    readStatus: () => Promise.resolve('ignored'),
    addressesListed: false,
    clock: () => new Date(),
    suffix: 'a1',
    recordedWithinMs: 50,
    pollMs: 1,
    ...overrides,
  });

test('the canary signs a test event that an endpoint of live events queues, and reports the row of the same event', async () => {
  const looks: string[] = [];
  const statuses = [undefined, undefined, 'ignored'];
  const report = await send({
    clock: () => new Date(),
    readStatus: (id) => Promise.resolve(statuses[looks.push(id) - 1]),
  });

  expect(queued).toEqual([
    expect.objectContaining({ id: report.eventId, type: 'billing_operations.canary', livemode: false }),
  ]);
  expect(report.eventId).toMatch(/^evt_canary_\d{8}T\d{9}Z_a1$/);
  expect(looks).toEqual([report.eventId, report.eventId, report.eventId]);
  expect(report.recordedMs).toBeGreaterThanOrEqual(report.acknowledgedMs);
});

test('the canary fails when its row does not come, or comes as failed', async () => {
  const missing = send({ readStatus: () => Promise.resolve(undefined) });
  await expect(missing).rejects.toMatchObject({ code: 'event_not_recorded', message: /^evt_canary_.* answered 200/ });
  const failed = send({ readStatus: () => Promise.resolve('failed') });
  await expect(failed).rejects.toMatchObject({ code: 'event_not_recorded', message: /recorded as failed/ });
});

test('the canary looks again where a look fails, and names the last failure when the time is up', async () => {
  let looks = 0;
  const once = send({
    readStatus: () => (looks++ === 0 ? Promise.reject(new Error('throttled')) : Promise.resolve('ignored')),
  });
  await expect(once).resolves.toMatchObject({ eventId: expect.any(String) });
  const always = send({ readStatus: () => Promise.reject(new Error('the database is away')) });
  await expect(always).rejects.toMatchObject({ message: /the database is away/ });
});

test('the canary fails by what the endpoint answers, without a look at the ledger', async () => {
  const readStatus = jest.fn<Promise<string | undefined>, [string]>();
  await expect(send({ readStatus, signingSecret: 'whsec_other' })).rejects.toMatchObject({
    code: 'endpoint_refused',
    message: /answered 400 .*signing secret/,
  });
  const closed = 'http://127.0.0.1:9/';
  await expect(send({ readStatus, endpointUrl: closed })).rejects.toMatchObject({
    code: 'endpoint_refused',
    message: /did not answer: .*(ECONNREFUSED|bad port)/,
  });
  expect(readStatus).not.toHaveBeenCalled();
});

test('a 403 is explained by the listed addresses only where the firewall has some', async () => {
  blockedBy = 403;
  await expect(send()).rejects.toMatchObject({ message: expect.not.stringContaining('webhookAddresses') });
  await expect(send({ addressesListed: true })).rejects.toMatchObject({
    message: expect.stringContaining('existingNetwork.egressAddresses'),
  });
});
