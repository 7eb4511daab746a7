import { runAnswered } from './run-answered';

const event = {
  id: 'evt_1',
  provider: 'stripe',
  type: 'invoice.paid',
  status: 'processed',
  attempts: 1,
  error: null,
  source: 'webhook',
  objectId: null,
  customerId: null,
  subscriptionId: null,
  appId: null,
  apiVersion: null,
  occurredAt: '2026-11-30T12:17:35.000Z',
  receivedAt: '2026-11-30T12:21:14.000Z',
  processedAt: '2026-11-30T12:21:15.000Z',
};

const ops = (line: string, answer: object) => runAnswered([...line.split(' '), '--env', 'dev'], answer);

test('events are listed by when they happened, with how much later each was received', async () => {
  const ahead = { ...event, id: 'evt_2', occurredAt: '2026-11-30T12:21:15.000Z' };
  const { stdout } = await ops('webhooks list', { action: 'events', events: [ahead, event], next: null });
  expect(stdout).toMatch(/^event .+ happened +received +error$/m);
  expect(stdout).toMatch(/^evt_1 .+ 2026-11-30 12:17:35Z \(.+\) +4 min later$/m);
  expect(stdout).toMatch(/^evt_2 .+ 2026-11-30 12:21:15Z \(.+\) +0 s later$/m);
});

test('the newest event is shown as what happened last, not as what arrived last', async () => {
  const status = {
    action: 'status',
    at: event.receivedAt,
    databases: [],
    events: { failed: 0, unfinished: 0, lastHour: 1, newestAt: event.occurredAt },
    queues: { waiting: 0, parked: 0 },
    reconciliation: null,
    money: null,
    secrets: [],
    problems: [],
  };
  expect((await ops('webhooks status', status)).stdout).toMatch(/^newest +happened 2026-11-30 12:17:35Z/m);
  expect((await ops('status', status)).stdout).toMatch(/, the newest happened 2026-11-30 12:17:35Z/);
  const none = { ...status, events: { ...status.events, newestAt: null } };
  expect((await ops('webhooks status', none)).stdout).toMatch(/^newest +–$/m);
});
