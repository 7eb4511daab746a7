import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Client } from 'pg';
import type { StripeStandIn } from '../../local/stripe/stand-in';
import { RULES } from '../support/entitlements';

export function hoursAgo(hours: number): Date {
  return new Date(Date.now() - hours * 3_600_000);
}

const REPORT_ID = '20261121T061500Z-1f0c9a3e';
/** A request that asks for something, with neither `dryRun` nor `confirm`. A new operation needs one here. */
export const EXAMPLES: Readonly<Record<string, object>> = {
  'audit begin': { action: 'begin', who: 'arn:aws:iam::111111111111:user/ann', command: 'ops backup billing' },
  'audit finish': { action: 'finish', id: '20261121T061500Z-1f0c9a3e', result: 'done' },
  'audit list': { action: 'list' },
  backup: { database: 'billing' },
  canary: {},
  cleanup: {},
  collector: {},
  confirmations: {},
  drill: { database: 'billing' },
  'entitlements assign': { action: 'assign', objectId: 'sub_1', userId: 'u_1', reason: 'test', by: 'ada' },
  'entitlements cached': { action: 'cached', userId: 'user_1', projectId: '' },
  'entitlements drop-cached': { action: 'drop-cached', scope: { userId: 'user_1' } },
  'entitlements get-rules': { action: 'get-rules' },
  'entitlements put-rules': { action: 'put-rules', rules: RULES },
  'entitlements read': { action: 'read', userId: 'user_1', projectId: '' },
  'entitlements unowned': { action: 'unowned' },
  'entitlements recompute': { action: 'recompute', scope: 'all' },
  'erasure erase': { action: 'erase', subject: { customer: 'cus_1' } },
  'erasure export': { action: 'export', subject: { customer: 'cus_1' } },
  'erasure replay': { action: 'replay', database: 'billing' },
  'inspect activity': { action: 'activity' },
  'inspect alarms': { action: 'alarms' },
  'inspect archive': { action: 'archive', database: 'billing', slot: 'latest' },
  'inspect archives': { action: 'archives', database: 'billing' },
  'inspect bitcoin': { action: 'bitcoin' },
  'inspect drills': { action: 'drills', database: 'billing' },
  'inspect event': { action: 'event', id: 'evt_1' },
  'inspect events': { action: 'events' },
  'inspect figures': { action: 'figures', projectId: 'project-1' },
  'inspect findings': { action: 'findings' },
  'inspect payouts': { action: 'payouts' },
  'inspect queries': { action: 'queries', database: 'billing' },
  'inspect records': {
    action: 'records',
    database: 'main',
    since: '2026-11-01T00:00:00Z',
    until: '2026-11-02T00:00:00Z',
  },
  'inspect reconciliations': { action: 'reconciliations' },
  'inspect schema-changes': { action: 'schema-changes', database: 'main' },
  'inspect server': { action: 'server', database: 'billing' },
  'inspect sessions': { action: 'sessions', database: 'billing' },
  'inspect status': { action: 'status' },
  'inspect tables': { action: 'tables', database: 'billing' },
  'keys create': { action: 'create', name: 'academy', scopes: ['entitlements:read'], projects: null, by: 'ada' },
  'keys list': { action: 'list' },
  'keys revoke': { action: 'revoke', id: '4fGh1kL0pQr2', by: 'ada' },
  'keys rotate': { action: 'rotate', id: '4fGh1kL0pQr2', by: 'ada' },
  'maintenance report': { action: 'report' },
  'maintenance run': { action: 'run', database: 'billing' },
  'maintenance show': { action: 'show', database: 'billing' },
  'migrate access': { action: 'access', database: 'billing' },
  'migrate apply': { action: 'apply', database: 'billing' },
  'migrate plan': { action: 'plan', database: 'billing' },
  'migrate resolve': { action: 'resolve', database: 'billing', name: '0027_index_receipts', as: 'applied' },
  'migrate rollback': { action: 'rollback', database: 'billing' },
  'migrate status': { action: 'status', database: 'billing' },
  'migrate validate': { action: 'validate', database: 'billing' },
  'move copy': { action: 'copy' },
  'move cut-over': { action: 'cut-over' },
  'move finish': { action: 'finish' },
  'move plan': { action: 'plan' },
  'move progress': { action: 'progress' },
  'move roll-back': { action: 'roll-back' },
  'move verify': { action: 'verify' },
  payouts: { payout: 'po_1', by: 'ada' },
  reconciliation: { settleSeconds: 0 },
  refresh: {},
  'replay check': { action: 'check' },
  'replay discard': { action: 'discard', messages: ['1f0c9a3e-2b4d-4c6e-8f01-23456789abcd'] },
  'replay dismiss': { action: 'dismiss', events: ['evt_junk'], reason: 'made by a test', by: 'ada' },
  'replay gaps': { action: 'gaps', from: hoursAgo(24).toISOString() },
  'replay redrive': { action: 'redrive' },
  'replay replay': { action: 'replay', from: hoursAgo(24).toISOString() },
  'replay retry': { action: 'retry', events: 'failed' },
  'reset-password': { database: 'billing', instanceIdentifier: 'billing-recovered-1' },
  restore: { database: 'billing', archive: 'latest', targetDatabase: 'copy', afterwards: 'drop' },
  'row-recovery check': { action: 'check', database: 'billing', tables: ['billing.customers'] },
  'row-recovery merge': { action: 'merge', database: 'billing', reportId: REPORT_ID, choose: 'deleted' },
  'row-recovery show': { action: 'show', database: 'billing', reportId: REPORT_ID },
  'row-recovery report': { action: 'report', database: 'billing', archive: 'latest', tables: ['billing.customers'] },
  verify: { database: 'billing' },
  warm: { database: 'billing' },
};

/** A payout that the bank returned, at Stripe and in the ledger. @returns the field of a request that names it */
export async function failedPayout({ state: { payouts } }: StripeStandIn, client: Client): Promise<object> {
  const { id } = payouts.create('').object;
  payouts.fail('', id);
  await client.query(
    `INSERT INTO billing.payouts (id, status, amount, currency, arrives_at, created_at, version, raw)
     VALUES ($1, 'failed', 12000, 'eur', now(), now() - interval '1 day', '', '{}')`,
    [id],
  );
  return { payout: id };
}

/** Statements for a customer with a subscription that runs. @param id unique in the database */
export const subscribe = (id: string) => `
  INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_${id}', now());
  INSERT INTO billing.subscriptions (id, customer_id, project_id, user_id, status, currency, cancel_at_period_end,
    created_at, version, raw)
    VALUES ('sub_${id}', 'cus_${id}', 'project_1', 'user_${id}', 'active', 'eur', false, now() - interval '1 day', '0', '{}');
  INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency, current_period_end)
    VALUES ('si_${id}', 'sub_${id}', 'price_pro', 'eur', now() + interval '30 days')`;

/** The customer whom the examples of erasures name. */
export async function addErasable(client: Client): Promise<void> {
  await client.query(
    `INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_1', now()) ON CONFLICT DO NOTHING`,
  );
}

/** Parks a message that is no event. @returns its id */
export async function park(sqs: SQSClient, QueueUrl: string): Promise<string | undefined> {
  return (await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'no event' }))).MessageId;
}
