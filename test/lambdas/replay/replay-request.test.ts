import { readRequest } from '../../../core/runtime/request';
import { replayRequest } from '../../../lambdas/replay/contract';

test.each([
  [{ action: 'replay', from: '2026-11-20T00:00:00Z' }],
  [{ action: 'retry', events: 'failed' }],
  [{ action: 'retry', events: ['evt_1'] }],
  [{ action: 'redrive' }],
  [{ action: 'discard', messages: ['1f0c9a3e-2b4d-4c6e-8f01-23456789abcd'] }],
])('the request %j is dry unless `dryRun` is false', (request) => {
  expect(readRequest(replayRequest, request)).toMatchObject({ dryRun: true });
  expect(readRequest(replayRequest, { ...request, dryRun: false })).toMatchObject({ dryRun: false });
});

test.each([
  ['no action', {}, 'action: missing; expected `gaps`, `replay`, `retry`, `dismiss`, `check`, `redrive` or `discard`'],
  [
    'an unknown action',
    { action: 'delete' },
    'action: expected `gaps`, `replay`, `retry`, `dismiss`, `check`, `redrive` or `discard`',
  ],
  ['a day without a time', { action: 'gaps', from: '2026-11-20' }, 'from: expected an ISO 8601 time with a time zone'],
  ['no events', { action: 'retry', events: [] }, 'events: expected `failed` or up to 100 event ids'],
  ['a foreign id', { action: 'retry', events: ['sub_1'] }, 'events.0: expected an event id such as evt_123'],
  ['a limit of nothing', { action: 'redrive', limit: 0 }, 'limit: expected at least 1'],
  ['a misspelt field', { action: 'redrive', dryrun: true }, 'dryrun: unknown; did you mean dryRun?'],
])('a replay request with %s is refused with the expected form', (_case, request, message) => {
  expect(() => readRequest(replayRequest, request)).toThrow(message);
});
