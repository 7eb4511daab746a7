import { listRecords } from '../../../lambdas/inspect/audit-records';
import { useBillingDatabase } from '../../support/billing';

const { client } = useBillingDatabase();
const list = (since: string, until: string, limit = 500) =>
  listRecords(client(), { action: 'records', database: 'billing', since, until, limit });

test('who did what is listed from every table that records it, the newest first, without reasons and people', async () => {
  await client().query(`
    INSERT INTO billing.api_keys (id, name, digest, scopes, created_at, created_by, revoked_at, revoked_by, last_used_at)
      VALUES ('abcdefghijkl', 'academy', sha256('x'), '{admin}', '2001-01-01 01:00Z', 'user/ann', '2001-01-05Z', 'user/bob', '2001-01-04Z');
    INSERT INTO billing.owner_assignment_log (object_id, user_id, reason, assigned_by, assigned_at)
      VALUES ('sub_1', 'secret-user', 'secret reason', 'user/ann', '2001-01-02Z');
    INSERT INTO billing.erasures (id, erased_at, finished_at, main_at, reports_at) VALUES
      ('erasure-1', '2001-01-03 01:00Z', NULL, NULL, NULL), ('erasure-2', '2001-01-03 00:50Z', now(), NULL, NULL),
      ('erasure-3', '2001-01-03 00:40Z', now(), now(), NULL), ('erasure-4', '2001-01-03 00:30Z', now(), now(), now());
    INSERT INTO billing.payout_retries VALUES ('po_1', 1, 'refused', 'user/bob', '2001-01-03Z');
    INSERT INTO billing.bitcoin_payments (id, network, address, script, amount, asked_amount, confirmations, created_at, expires_at, user_id, kind,
        accepted_at, accepted_by, accepted_reason)
      VALUES ('btc_1', 'mainnet', 'a', '01', 60, 100, 3, '2001-01-01Z', '2001-01-02Z', 'secret-user', 'course', '2001-01-03 02:00Z', 'user/ann', 'secret reason');
    INSERT INTO operations.row_recovery_merges (report_id, merged_at, merged_by, chosen, inserted, updated, skipped)
      VALUES ('report-1', '2001-01-06Z', 'billing_admin', '{}', 3, 2, 1)`);

  const again = '. What completes it: docs/erasure.md#when-it-is-half-done';
  const { records } = await list('2001-01-01T00:00:00Z', '2001-01-07T00:00:00Z');
  expect(records.map(({ at, kind, who, what, about }) => [at.slice(0, 10), kind, who, what, about])).toEqual([
    ['2001-01-06', 'rows', 'billing_admin', 'merged rows: 3 added, 2 changed, 1 left', 'report-1'],
    ['2001-01-05', 'keys', 'user/bob', 'revoked the key academy', 'abcdefghijkl'],
    ['2001-01-04', 'keys', 'API key abcdefghijkl', 'used the key academy, for the last time so far', 'abcdefghijkl'],
    ['2001-01-03', 'payments', 'user/ann', 'accepted 60 of 100 satoshi', 'btc_1'],
    [
      '2001-01-03',
      'erasures',
      null,
      `began to erase a person; not on record as done: billing, main, row reports${again}`,
      'erasure-1',
    ],
    [
      '2001-01-03',
      'erasures',
      null,
      `began to erase a person; not on record as done: main, row reports${again}`,
      'erasure-2',
    ],
    [
      '2001-01-03',
      'erasures',
      null,
      `began to erase a person; not on record as done: row reports${again}`,
      'erasure-3',
    ],
    ['2001-01-03', 'erasures', null, 'erased a person', 'erasure-4'],
    ['2001-01-03', 'payouts', 'user/bob', 'asked to pay out again: refused', 'po_1'],
    ['2001-01-02', 'owners', 'user/ann', 'assigned an owner', 'sub_1'],
    ['2001-01-01', 'keys', 'user/ann', 'created the key academy', 'abcdefghijkl'],
  ]);
  expect(JSON.stringify(records)).not.toContain('secret');
  // From its first moment on, and before its last.
  expect((await list('2001-01-02T00:00:00Z', '2001-01-03T00:00:00Z')).records).toHaveLength(1);
  expect((await list('2001-01-01T00:00:00Z', '2001-01-07T00:00:00Z', 2)).records).toHaveLength(2);
});

test('migrations are listed with the time at which they were applied', async () => {
  const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const { records } = await list(hour(-24), hour(1));
  expect(records).toContainEqual(
    expect.objectContaining({ kind: 'migrations', who: null, about: '0001_create_identity' }),
  );
});
