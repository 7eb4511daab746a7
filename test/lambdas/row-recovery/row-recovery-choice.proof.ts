import type { Client } from 'pg';
import type { RowRecoveryMergeRequest } from '../../../lambdas/row-recovery/contract';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows } from '../../../lambdas/row-recovery/report';
import { type ArchiveSite, createArchiveSite, noCache } from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { subscription, stripeEvent } from '../../factories/stripe-objects';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { applyWithEntitlements } from '../../support/entitlements';

const SECOND = 1_790_000_000;

let site: ArchiveSite;
let client: Client;
let reportId: string;

/** Stores a state of a subscription, as its event says. */
async function store(id: string, status: 'active' | 'canceled' | 'past_due', created: number): Promise<void> {
  await applyWithEntitlements(
    client,
    stripeEvent('customer.subscription.updated', subscription({ id, status }), { created }),
  );
}

function merge(choose: RowRecoveryMergeRequest['choose'], confirm?: string, where?: RowRecoveryMergeRequest['where']) {
  return mergeRows(
    { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId, choose, confirm, where },
  );
}

async function statuses(): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `SELECT id || ' ' || status AS line FROM billing.subscriptions ORDER BY id`,
  );
  return rows.map(({ line }) => line);
}

beforeEach(async () => {
  site = await createArchiveSite('billing');
  client = await site.source.client();
  for (const id of ['sub_1', 'sub_2', 'sub_3']) await store(id, 'active', SECOND);
  await site.backup('2026-11-21T06:00:00Z');
  await store('sub_1', 'canceled', SECOND + 60);
  await client.query(`UPDATE billing.subscriptions SET status = 'unpaid' WHERE id = 'sub_2'`);
  await client.query(`DELETE FROM billing.subscriptions WHERE id = 'sub_3'`);
  const report = await reportRows(rowReporting(site), { archive: 'latest', tables: ['billing.subscriptions'] });
  if (report.deleted !== 1 || report.changed !== 2)
    throw new Error(`The report is about other rows: ${JSON.stringify(report)}`);
  ({ reportId } = report);
});

afterEach(() => site.remove());

describe('a merge', () => {
  test('of the deleted rows leaves every changed row as it is', async () => {
    expect(await merge('deleted', 'billing')).toMatchObject({ inserted: 1, updated: 0, conflicts: [] });
    expect(await statuses()).toEqual(['sub_1 canceled', 'sub_2 unpaid', 'sub_3 active']);
  });

  test('of the deleted rows that meet a condition leaves the others deleted', async () => {
    const id = (value: string) => [{ column: 'id', operator: '=', value }] as const;
    expect(await merge('deleted', undefined, id('sub_9'))).toMatchObject({ inserted: 0 });
    expect(await merge('deleted', undefined, id('sub_3'))).toMatchObject({ inserted: 1 });
    const late = [{ column: 'created_at', operator: '>', value: '2999-01-01' }] as const;
    expect(await merge('deleted', 'billing', late)).toMatchObject({ inserted: 0 });
    const refused = { code: 'invalid_request' };
    await expect(merge('deleted', undefined, [{ column: 'no', operator: '=', value: 1 }])).rejects.toMatchObject(
      refused,
    );
    await expect(merge(['billing.subscriptions:sub_3'], undefined, id('sub_3'))).rejects.toMatchObject(refused);
  });

  test('of a changed row that is named sets it back, when its object has no newer state', async () => {
    expect(await merge(['billing.subscriptions:sub_2'], 'billing')).toMatchObject({ inserted: 0, updated: 1 });
    expect(await statuses()).toEqual(['sub_1 canceled', 'sub_2 active']);
  });

  test('never puts an old state over a newer one, even by its id', async () => {
    const choose = ['billing.subscriptions:sub_1', 'billing.subscriptions:sub_3'];
    expect(await merge(choose)).toMatchObject({ dryRun: true, conflicts: ['billing.subscriptions:sub_1'] });
    await expect(merge(choose, 'billing')).rejects.toMatchObject({
      code: 'changed_since_report',
      message: expect.stringContaining('newer than the archive: billing.subscriptions:sub_1.') as string,
    });
    expect(await statuses()).toEqual(['sub_1 canceled', 'sub_2 unpaid']);
  });
});
