import { type ColumnTreatment, ERASURE_POLICY } from '../../../core/erasure/policy';
import { SWEPT_TABLES } from '../../../core/erasure/billing';
import { PERSONAL_ROWS } from '../../../lambdas/erasure/person';
import { useBillingDatabase } from '../../support/billing';

/** Tables with something personal that an access request is not answered with. */
const NOT_EXPORTED: readonly string[] = [
  // Records of operators, which name rows that they chose: the rows themselves are exported.
  'operations.maintenance_runs',
  'operations.row_recovery_merges',
];

describe('the policy of erasures', () => {
  const { rows } = useBillingDatabase();

  test('has a treatment for every column of the database, the one that the triggers carry out', async () => {
    const catalog = (await rows(
      `SELECT format('%s.%s', relnamespace::regnamespace, relname) AS name, array_agg(attname::text ORDER BY attname) AS columns,
         coalesce(billing.erasure_treatments(relname::text), '{}') AS treatments,
         EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'forgets_erased') AS forgets
       FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
       WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
         AND relkind IN ('r', 'p') GROUP BY pg_class.oid ORDER BY 1`,
    )) as { name: string; columns: string[]; treatments: Record<string, string>; forgets: boolean }[];
    const policy = Object.entries(ERASURE_POLICY).map(([name, columns]) => [name, Object.keys(columns).toSorted()]);
    expect(Object.fromEntries(catalog.map(({ name, columns }) => [name, columns]))).toEqual(Object.fromEntries(policy));
    // Without a trigger, treated by the sweep: users are in the keys of entitlements, and merges are in another schema.
    const swept = new Set(SWEPT_TABLES.map(({ name }) => `billing.${name}`));
    for (const { name, treatments, forgets } of catalog) {
      const treated = Object.entries(ERASURE_POLICY[name] ?? {}).flatMap(
        ([column, { treatment }]: [string, ColumnTreatment]) => (treatment === 'keep' ? [] : [[column, treatment]]),
      );
      const byTriggers = /entitlement|^operations/.test(name) ? {} : Object.fromEntries(treated);
      expect([name, byTriggers]).toEqual([name, treatments]);
      expect([name, forgets]).toEqual([name, swept.has(name)]);
    }
  });

  test('has every table with something personal in an export, or a reason why it is not there, and pages by primary keys', async () => {
    const personal = Object.entries(ERASURE_POLICY).flatMap(([name, columns]) =>
      Object.values(columns).some(({ treatment }) => treatment !== 'keep') ? [name] : [],
    );
    const exported = PERSONAL_ROWS.map(({ table }) => table);
    expect(personal.filter((name) => !exported.includes(name)).toSorted()).toEqual(NOT_EXPORTED);
    // Of a person without a personal column of their own: what happened to a payment.
    expect(exported).toContain('billing.bitcoin_transactions');
    const keys = (await rows(
      `SELECT format('%s.%s', relnamespace::regnamespace, relname) AS name, array_agg('row.' || attname) AS key
       FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
       JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey::int2[]) WHERE indisprimary GROUP BY 1`,
    )) as { name: string; key: string[] }[];
    const keyOf = new Map(keys.map(({ name, key }) => [name, key.toSorted()]));
    for (const { table, order } of PERSONAL_ROWS) {
      expect([table, order.split(', ').toSorted()]).toEqual([table, keyOf.get(table)]);
    }
  });
});
