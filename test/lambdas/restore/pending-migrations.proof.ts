import { type ArchiveSite, contentOf, createArchiveSite } from '../../factories/archive';
import { plantedPerson } from '../../factories/planted-person';
import { asAdministrator } from '../../support/database';
import { erasuresOf } from '../../support/erasures';

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('billing');
  await (await site.source.client()).query(`INSERT INTO billing.customers VALUES ('cus_1', now())`);
});

afterEach(() => site.remove());

test('a restore keeps the database at the schema before a pending migration that fails, and names that migration', async () => {
  await site.backup('2026-11-21T06:00:00Z');
  const applied = await site.migrations.add('add_note', 'ALTER TABLE billing.customers ADD note text;');
  const failing = await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  await site.migrations.add('add_later', 'ALTER TABLE billing.customers ADD later text;');
  const report = await site.restore();
  expect(report).toMatchObject({ kept: true, migratedForward: [applied], invariantsChecked: 0 });
  expect(report.deviations).toEqual([
    {
      object: `MIGRATION ${failing}`,
      consequence:
        'not applied, nor the one after it: the database has an older schema, or a part of this migration, and the rules of its domain were not checked',
      reason: `Migration ${failing} failed and was rolled back; the ones before it stay applied. Correct it and apply again: division by zero`,
    },
  ]);
  const { 'billing.customers': restored = [] } = await contentOf(report.targetDatabase);
  const { 'billing.customers': archived = [] } = await contentOf(site.source.name);
  expect(restored).toEqual(archived.map((row) => row.replace(/\)$/, ',)')));
});

test.each(['40P01', '55006', '58P01', 'XX001'])(
  'a restore fails, and names no migration, when the server ends a pending one with %s',
  async (state) => {
    await site.backup('2026-11-21T06:00:00Z');
    await site.migrations.add('interrupted', `DO $$ BEGIN RAISE SQLSTATE '${state}'; END $$;`);
    await expect(site.restore()).rejects.toMatchObject({ code: 'migration_failed', cause: { code: state } });
  },
);

test('a restore names the pending migration that is malformed, and not a good one before it', async () => {
  await site.backup('2026-11-21T06:00:00Z');
  await site.migrations.add('add_note', 'ALTER TABLE billing.customers ADD note text;');
  const malformed = await site.migrations.add('half_way', 'COMMIT;');
  const report = await site.restore();
  expect(report).toMatchObject({ kept: true, migratedForward: [] });
  expect(report.deviations).toMatchObject([
    { object: `MIGRATION ${malformed}`, reason: expect.stringContaining(`Migration ${malformed} has "COMMIT"`) },
  ]);
});

test('a restore hands nothing over when people cannot be erased again without a migration that fails', async () => {
  await asAdministrator((client) => client.query('DROP TABLE billing.erasure_key'), site.source.name);
  await site.backup('2026-11-21T06:00:00Z');
  await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  const erased = erasuresOf(plantedPerson('one'));
  const refusal = site.restore('latest', { erasures: { ledger: { read: async () => erased }, hooks: [] } });
  await expect(refusal).rejects.toMatchObject({ code: 'migration_failed' });
  await expect(refusal).rejects.toThrow(/cannot be erased again .*divide_by_zero.* division by zero/);
  expect(await site.leftovers()).toEqual([]);
});
