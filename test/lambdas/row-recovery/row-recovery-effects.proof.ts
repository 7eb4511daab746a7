import { Client } from 'pg';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows } from '../../../lambdas/row-recovery/report';
import { inTransaction } from '../../../core/database/transaction';
import { recomputeEntitlements, type EntitlementChange } from '../../../core/entitlements/recompute';
import { type ArchiveSite, createArchiveSite } from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { checkoutSession, stripeEvent, subscription } from '../../factories/stripe-objects';
import { applyWithEntitlements, putRules, RULES, storedEntitlements, unlikeGranted } from '../../support/entitlements';

const DOCUMENTS = `CREATE TABLE billing.documents (id int PRIMARY KEY, body text)`;

let site: ArchiveSite;
let client: Client;
/** The entries that were invalidated in the cache. */
let invalidated: EntitlementChange[];

beforeEach(async () => {
  site = await createArchiveSite('billing', DOCUMENTS);
  client = await site.source.client();
  invalidated = [];
});
afterEach(() => site.remove());

function report(tables: readonly string[], maxRowBytes?: number): ReturnType<typeof reportRows> {
  return reportRows({ ...rowReporting(site), maxRowBytes }, { archive: 'latest', tables });
}

function merge(reportId: string, confirm?: 'billing', batchBytes?: number): ReturnType<typeof mergeRows> {
  const cache = {
    invalidate: async (changes: readonly EntitlementChange[]) => {
      invalidated.push(...changes);
    },
  };
  const { connector } = site.source;
  return mergeRows(
    { connector, store: site.store, log: silentLog, cache, batchBytes, erasures: noErasures },
    { reportId, choose: 'deleted', confirm },
  );
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
    await inTransaction(client, (run) => recomputeEntitlements(run, { sources: lost, payments: lost }));
  });

  test('restore the entitlements of customers in the same transaction, and invalidate their caches', async () => {
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

  test.each(['NOT DEFERRABLE', 'DEFERRABLE'])(
    'change no entitlement when a key that is %s refuses them, or a dry run',
    async (when) => {
      await client.query(
        `ALTER TABLE billing.subscription_items ALTER CONSTRAINT subscription_items_subscription_id_fkey ${when}`,
      );
      const { reportId } = await report(['billing.subscription_items']);
      for (const confirm of [undefined, 'billing'] as const) {
        await expect(merge(reportId, confirm)).rejects.toMatchObject({ code: 'merge_refused' });
      }
      expect(await storedEntitlements(client)).toHaveLength(1);
      expect(invalidated).toEqual([]);
    },
  );
});

describe('a row', () => {
  const KIB = 1024;

  async function fill(rows: number, kibibytes: number): Promise<void> {
    await client.query(`INSERT INTO billing.documents SELECT n, repeat('x', $1) FROM generate_series(1, $2) n`, [
      kibibytes * KIB,
      rows,
    ]);
    await site.backup('2026-11-21T06:00:00Z');
  }

  test('that is too large for memory is refused by its id, before it is fetched', async () => {
    await client.query(`INSERT INTO billing.documents VALUES (7, repeat('y', $1))`, [65 * KIB]);
    await fill(1, 64);
    await client.query('DELETE FROM billing.documents');
    const refusal = report(['billing.documents'], 65 * KIB);
    await expect(refusal).rejects.toMatchObject({ code: 'row_too_large', retryable: false });
    await expect(refusal).rejects.toThrow(
      /^Row billing\.documents:7 has 66561 bytes as text, .* more than the 66560 of a report/,
    );
    // The limit of the deployed function is far above the rows of this platform.
    expect(await report(['billing.documents'])).toMatchObject({ deleted: 2 });
  });

  test('is measured together with its live counterpart, and an unchanged row is not measured', async () => {
    await fill(1, 40);
    expect(await report(['billing.documents'], 64 * KIB)).toMatchObject({ deleted: 0, changed: 0 });
    await client.query(`UPDATE billing.documents SET body = body || 'y'`);
    await expect(report(['billing.documents'], 64 * KIB)).rejects.toThrow(/^Row billing\.documents:1 has 81923 bytes/);
  });

  test('is restored with others although few are fetched, and sent to the server, at once', async () => {
    await fill(9, 40);
    const before = (await client.query('SELECT * FROM billing.documents ORDER BY id')).rows as object[];
    await client.query('DELETE FROM billing.documents WHERE id > 1');
    const { reportId, deleted } = await report(['billing.documents'], 41 * KIB);
    expect(deleted).toBe(8);
    const statements = jest.spyOn(Client.prototype, 'query');
    await merge(reportId, 'billing', 100 * KIB);
    const handed = statements.mock.calls.filter(([text]) => text.includes('INSERT INTO pg_temp.chosen_0'));
    statements.mockRestore();
    expect(handed).toHaveLength(4);
    expect((await client.query('SELECT * FROM billing.documents ORDER BY id')).rows).toEqual(before);
  });
});
