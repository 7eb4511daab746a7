import { readRequest } from '../../../core/runtime/environment';
import { replayRequest } from '../../../lambdas/replay/request';

test.each([
  [{ action: 'replay', from: '2026-11-20T00:00:00Z' }],
  [{ action: 'retry', events: 'failed' }],
  [{ action: 'retry', events: ['evt_1'] }],
  [{ action: 'redrive' }],
])('%j is dry unless told otherwise', (request) => {
  expect(readRequest(replayRequest, request)).toMatchObject({ dryRun: true });
  expect(readRequest(replayRequest, { ...request, dryRun: false })).toMatchObject({ dryRun: false });
});

test.each([
  ['no action', {}, 'action: expected an action: `gaps`, `replay`, `retry` or `redrive`'],
  ['an unknown action', { action: 'delete' }, 'action: expected an action'],
  ['a day without a time', { action: 'gaps', from: '2026-11-20' }, 'from: expected ISO 8601 with a time zone'],
  ['no events', { action: 'retry', events: [] }, 'events: expected `failed` or up to 100 event ids'],
  ['a foreign id', { action: 'retry', events: ['sub_1'] }, 'events.0: expected an event id such as evt_123'],
  ['a limit of nothing', { action: 'redrive', limit: 0 }, 'limit: '],
  ['a misspelt field', { action: 'redrive', dryrun: true }, 'dryrun'],
])('%s is refused with the expected form', (_case, request, message) => {
  expect(() => readRequest(replayRequest, request)).toThrow(message);
});
