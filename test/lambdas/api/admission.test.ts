import { API_ALIAS } from '../../../core/contract';
import { assertAdmitted } from '../../../core/runtime/admission';
import type { OperationContract } from '../../../core/runtime/contract';
import { contract as audit } from '../../../lambdas/audit/contract';
import { contract as entitlements } from '../../../lambdas/entitlements/contract';
import { contract as inspect } from '../../../lambdas/inspect/contract';
import { contract as maintenance } from '../../../lambdas/maintenance/contract';
import { contract as replay } from '../../../lambdas/replay/contract';

const ARN = 'arn:aws:lambda:eu-central-1:000000000000:function:BillingOps-production-inspect';
const admit = (contract: OperationContract, request: object, alias: string = API_ALIAS) =>
  assertAdmitted(contract, `${ARN}:${alias}`, request);
const retry = { action: 'retry', events: ['evt_1'], dryRun: false };

test.each<[string, OperationContract, object]>([
  ['a payload, which holds personal data', inspect, { action: 'event', id: 'evt_1', payload: true }],
  ['what one account was paid', inspect, { action: 'payouts', account: 'acct_1' }],
  ['statements of a database', inspect, { action: 'queries', database: 'billing' }],
  ['every failed event at once', replay, { ...retry, events: 'failed' }],
  ['a dismissal', replay, { action: 'dismiss', events: ['evt_1'], reason: 'x', by: 'ann', dryRun: false }],
  ['a redrive', replay, { action: 'redrive', dryRun: false }],
  [
    'a deletion of parked messages',
    replay,
    { action: 'discard', messages: ['1f0c9a3e-2b4d-4c6e-8f01-23456789abcd'], dryRun: false },
  ],
  ["a look at Stripe's key", replay, { action: 'check' }],
  ['other rules', entitlements, { action: 'put-rules', rules: [], dryRun: false }],
  ['another owner', entitlements, { action: 'assign', objectId: 'sub_1', userId: 'eve', reason: 'x', by: 'eve' }],
  ['everybody at once', entitlements, { action: 'recompute', scope: 'all', dryRun: false }],
  ['the audit log', audit, { action: 'list' }],
  [
    'a record in the name of an operator',
    audit,
    { action: 'begin', who: 'arn:aws:iam::1:user/ann', command: 'API: x' },
  ],
  ['a record of a command', audit, { action: 'begin', who: 'API key x', command: 'ops restore billing' }],
  ['a function without an alias for it', maintenance, { action: 'report' }],
])('the API is refused %s', (_what, contract, request) => {
  expect(() => admit(contract, request)).toThrow(expect.objectContaining({ code: 'not_admitted' }));
});

test('an operator, who invokes the function by its name, is not restricted; an unknown alias is', () => {
  const payload = { action: 'event', id: 'evt_1', payload: true };
  expect(() => assertAdmitted(inspect, ARN, payload)).not.toThrow();
  expect(() => admit(inspect, payload, '$LATEST')).not.toThrow();
  expect(() => admit(inspect, { action: 'status' }, 'live')).toThrow('Nothing is answered through');
  expect(() => admit(replay, retry)).not.toThrow();
  expect(() => admit(inspect, { action: 'payouts', open: true, limit: 50 })).not.toThrow();
});
