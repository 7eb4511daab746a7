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
  cleanup: {},
  collector: {},
  drill: { database: 'billing' },
  'entitlements assign': { action: 'assign', objectId: 'sub_1', userId: 'u_1', reason: 'test', by: 'ada' },
  'entitlements get-rules': { action: 'get-rules' },
  'entitlements put-rules': { action: 'put-rules', rules: RULES },
  'entitlements read': { action: 'read', userId: 'user_1', projectId: '' },
  'entitlements unowned': { action: 'unowned' },
  'entitlements recompute': { action: 'recompute', scope: 'all' },
  'inspect archives': { action: 'archives', database: 'billing' },
  'inspect drills': { action: 'drills', database: 'billing' },
  'inspect events': { action: 'events' },
  'inspect findings': { action: 'findings' },
  'inspect reconciliations': { action: 'reconciliations' },
  'inspect sessions': { action: 'sessions', database: 'billing' },
  'inspect status': { action: 'status' },
  'inspect tables': { action: 'tables', database: 'billing' },
  'migrate apply': { action: 'apply', database: 'billing' },
  'migrate plan': { action: 'plan', database: 'billing' },
  'migrate resolve': { action: 'resolve', database: 'billing', name: '0027_index_receipts', as: 'applied' },
  'migrate rollback': { action: 'rollback', database: 'billing' },
  'migrate status': { action: 'status', database: 'billing' },
  'migrate validate': { action: 'validate', database: 'billing' },
  reconciliation: { settleSeconds: 0 },
  refresh: {},
  'replay dismiss': { action: 'dismiss', events: ['evt_junk'], reason: 'made by a test', by: 'ada' },
  'replay gaps': { action: 'gaps', from: hoursAgo(24).toISOString() },
  'replay redrive': { action: 'redrive' },
  'replay replay': { action: 'replay', from: hoursAgo(24).toISOString() },
  'replay retry': { action: 'retry', events: 'failed' },
  'reset-password': { database: 'billing', instanceIdentifier: 'billing-recovered-1' },
  restore: { database: 'billing', archive: 'latest', targetDatabase: 'copy', afterwards: 'drop' },
  'row-recovery merge': { action: 'merge', database: 'billing', reportId: REPORT_ID, choose: 'deleted' },
  'row-recovery report': { action: 'report', database: 'billing', archive: 'latest', tables: ['billing.customers'] },
  verify: { database: 'billing' },
  warm: { database: 'billing' },
};
