import type { Client } from 'pg';
import { MAX_ROW_BYTES } from '../../lambdas/rows/compare';
import { mergeRows } from '../../lambdas/rows/merge';
import { reportRows } from '../../lambdas/rows/report';
import { recomputeEntitlements, type EntitlementChange } from '../../lambdas/shared/entitlements/recompute';
import { type ArchiveSite, createArchiveSite, silentLog } from '../factories/archive';
import { checkoutSession, stripeEvent, subscription } from '../factories/stripe-objects';
import { applyWithEntitlements, putRules, RULES, storedEntitlements, unlikeGranted } from '../support/entitlements';

const DOCUMENTS = `CREATE TABLE billing.documents (id int PRIMARY KEY, body text)`;

let site: ArchiveSite;
let client: Client;
/** What the cache was told to forget. */
let invalidated: EntitlementChange[];

beforeEach(async () => {
  site = await createArchiveSite('billing', DOCUMENTS);
  client = await site.source.client();
  invalidated = [];
});
afterEach(() => site.remove());

function report(tables: readonly string[]): ReturnType<typeof reportRows> {
  const { connector } = site.source;
  return reportRows(
    {
      connector,
      store: site.store,
      migrationsDirectory: site.migrations.directory,
      log: silentLog,
      now: () => new Date(),
    },
    { archive: 'latest', tables },
  );
}

function merge(reportId: string, confirm?: 'billing'): ReturnType<typeof mergeRows> {
  const cache = {
    invalidate: async (changes: readonly EntitlementChange[]) => {
      invalidated.push(...changes);
    },
  };
  const { connector } = site.source;
  return mergeRows({ connector, store: site.store, log: silentLog, cache }, { reportId, choose: 'all', confirm });
}

describe('merged rows that entitlements follow from', () => {
  const tables = ['billing.subscriptions', 'billing.subscription_items', 'billing.purchases'];
  const lost = ['sub_1', 'cs_1'];
  let before: string[];

  beforeEach(async () => {
    await putRules(client, RULES);
    await applyWithEntitlements(
      client,
      stripeEvent('customer.subscription.updated', subscription({ id: 'sub_1', metadata: { user_id: 'user_1' } })),
      stripeEvent('customer.subscription.updated', subscription({ id: 'sub_2', metadata: { user_id: 'user_2' } })),
      stripeEvent('checkout.session.completed', checkoutSession({ id: 'cs_1' })),
    );
    before = await storedEntitlements(client);
    await site.backup('2026-11-21T06:00:00Z');
    await client.query(`DELETE FROM billing.subscriptions WHERE id = 'sub_1'; DELETE FROM billing.purchases`);
    await recomputeEntitlements(async ({ text }, values) => (await client.query<object>(text, values)).rows, lost);
  });

  test('give customers back what they may use, in the same transaction, and their caches forget the loss', async () => {
    expect(before).toHaveLength(3);
    const { reportId } = await report(tables);
    expect(await merge(reportId)).toMatchObject({ dryRun: true, entitlementsChanged: 0 });
    expect(await storedEntitlements(client)).toHaveLength(1);

    expect(await merge(reportId, 'billing')).toMatchObject({ dryRun: false, inserted: 3, entitlementsChanged: 2 });
    expect(await storedEntitlements(client)).toEqual(before);
    expect(await unlikeGranted(client)).toEqual([]);
    expect(invalidated).toHaveLength(2);

    expect(await merge(reportId, 'billing')).toMatchObject({ skipped: 3, entitlementsChanged: 0 });
  });

  test('change no entitlement when the merge is refused', async () => {
    const { reportId } = await report(['billing.subscription_items']);
    await expect(merge(reportId, 'billing')).rejects.toMatchObject({ code: 'merge_refused' });
    expect(await storedEntitlements(client)).toHaveLength(1);
    expect(invalidated).toEqual([]);
  });
});

describe('a row', () => {
  const MEBIBYTE = 1024 * 1024;

  test('that is too large for the memory is refused by name, before it is fetched', async () => {
    await client.query(`INSERT INTO billing.documents VALUES (1, 'small'), (7, repeat('x', $1))`, [MAX_ROW_BYTES + 1]);
    await site.backup('2026-11-21T06:00:00Z');
    await client.query('DELETE FROM billing.documents');
    const refusal = report(['billing.documents']);
    await expect(refusal).rejects.toMatchObject({ code: 'row_too_large', retryable: false });
    await expect(refusal).rejects.toThrow(/^Row billing\.documents:7 has 17 MiB as text, .* takes 16 at most/);
  });

  test('counts with its live counterpart, and one that did not change counts nothing', async () => {
    await client.query(`INSERT INTO billing.documents VALUES (2, repeat('x', $1))`, [9 * MEBIBYTE]);
    await site.backup('2026-11-21T06:00:00Z');
    expect(await report(['billing.documents'])).toMatchObject({ deleted: 0, changed: 0 });
    await client.query(`UPDATE billing.documents SET body = body || 'y' WHERE id = 2`);
    await expect(report(['billing.documents'])).rejects.toThrow(/^Row billing\.documents:2 has 19 MiB/);
  });

  test('of some megabytes comes back among others, though they are not handed to the server at once', async () => {
    await client.query(`INSERT INTO billing.documents SELECT n, repeat(n::text, $1) FROM generate_series(1, 4) n`, [
      6 * MEBIBYTE,
    ]);
    await site.backup('2026-11-21T06:00:00Z');
    const hashes = async () =>
      (await client.query('SELECT id, md5(body) AS body FROM billing.documents ORDER BY id')).rows as object[];
    const before = await hashes();
    await client.query('DELETE FROM billing.documents WHERE id > 1');
    const { reportId, deleted } = await report(['billing.documents']);
    expect(deleted).toBe(3);
    await merge(reportId, 'billing');
    expect(await hashes()).toEqual(before);
  });
});
