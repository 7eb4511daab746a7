import type { Client } from 'pg';
import type { RowRecoveryReportRequest } from '../../lambdas/row-recovery/contract';
import { mergeRows } from '../../lambdas/row-recovery/merge';
import { reportRows } from '../../lambdas/row-recovery/report';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { type ArchiveSite, createArchiveSite, noCache } from '../factories/archive';
import { rowReporting } from '../factories/row-reports';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { businessOf, compareWithStripe } from '../factories/recovery';
import { deliver } from '../factories/stripe-work';

const HOUR_S = 3_600;

let site: ArchiveSite;
let stripe: StripeStandIn;
let live: Client;

beforeEach(async () => {
  [site, stripe] = await Promise.all([createArchiveSite('billing'), startStripeStandIn()]);
  live = await site.source.client();
});
afterEach(() => Promise.all([site.remove(), stripe.stop()]));

function report(request: Partial<RowRecoveryReportRequest>): ReturnType<typeof reportRows> {
  return reportRows(rowReporting(site), { archive: 'latest', tables: [], ...request });
}

test('scenario 2: subscriptions deleted by accident come back from before the deletion, and nothing else changes', async () => {
  const { state } = stripe;
  const now = Math.floor(Date.now() / 1000);
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  const old = Array.from({ length: 4 }, (_, index) =>
    state.createSubscription({ created: now - (100 + index) * 24 * HOUR_S }),
  );
  const recent = state.createSubscription({ created: now - 5 * HOUR_S });
  await deliver(live, [
    ...old,
    recent,
    ...old.map(({ object }) => state.payInvoice(object.id, { created: now - 4 * HOUR_S })),
  ]);
  await site.backup(iso(now - 3 * HOUR_S), { clock: () => new Date((now - 3 * HOUR_S) * 1000) });
  const before = await businessOf(site.source.name);

  // The accident, two hours ago, deletes the items as well. New business arrives meanwhile.
  const accident = now - 2 * HOUR_S;
  const cutOff = iso(now - 50 * 24 * HOUR_S);
  await live.query('DELETE FROM billing.subscriptions WHERE created_at < $1', [cutOff]);
  const later = [
    state.createSubscription({ created: now - HOUR_S }),
    state.updateSubscription(recent.object.id, { cancel_at_period_end: true }, { atSeconds: now - HOUR_S }),
  ];
  await deliver(live, later);
  // First of all the state after the incident is kept: the latest archive now lacks the rows.
  await site.backup(iso(now));
  const afterIncident = await businessOf(site.source.name);

  // Find exactly the deleted rows: archives from before the accident, by the condition of the careless statement.
  const tables = ['billing.subscriptions', 'billing.subscription_items', 'billing.customers'];
  const where = [{ table: 'billing.subscriptions', column: 'created_at', operator: '<', value: cutOff } as const];
  expect(await report({ tables, where })).toMatchObject({ deleted: 0, changed: 0 });
  const found = await report({ tables, where, notAfter: iso(accident) });
  expect(found).toMatchObject({
    slot: expect.stringContaining(iso(now - 3 * HOUR_S).slice(0, 19)) as string,
    deleted: 8,
    changed: 0,
  });
  expect(found.firstIds).toEqual(
    expect.arrayContaining(old.map(({ object }) => `billing.subscriptions:${object.id}`)) as string[],
  );

  // Look at the plan, then merge only those.
  const merge = (confirm?: string) =>
    mergeRows(
      { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
      { reportId: found.reportId, choose: 'deleted', confirm },
    );
  expect(await merge()).toMatchObject({ dryRun: true, inserted: 8, updated: 0, conflicts: [] });
  expect(await businessOf(site.source.name)).toEqual(afterIncident);
  expect(await merge('billing')).toMatchObject({ dryRun: false, inserted: 8, skipped: 0 });

  const merged = await businessOf(site.source.name);
  for (const [table, rows] of Object.entries(afterIncident))
    expect(merged[table]).toEqual(expect.arrayContaining(rows));
  const oldIds = new Set(old.map(({ object }) => object.id));
  const isOld = (line: string) => [...oldIds].some((id) => line.includes(id));
  for (const table of ['billing.subscriptions', 'billing.subscription_items']) {
    expect(merged[table]?.filter(isOld)).toEqual(before[table]?.filter(isOld));
    expect(merged[table]).toHaveLength((afterIncident[table]?.length ?? 0) + old.length);
  }
  expect(await compareWithStripe(stripe, live)).toMatchObject({ drift_detected: 0, errors: 0 });
});
