import type { DatabaseConnector } from '../../core/database/connector';
import type { ErasureReplay } from '../../core/erasure/replay';
import { runDrill } from '../../lambdas/drill/core';
import { migrate } from '../../lambdas/migrate/core';
import { mergeRows } from '../../lambdas/row-recovery/merge';
import { reportRows } from '../../lambdas/row-recovery/report';
import { verifyDatabase } from '../../lambdas/verify/core';
import { type ArchiveSite, contentOf, createForeignSite, noCache } from '../factories/archive';
import { plantedPerson } from '../factories/planted-person';
import { rowReporting } from '../factories/row-reports';
import { schemaFile } from '../factories/odd-schema';
import { asAdministrator } from '../support/database';
import { erasuresOf, noErasures } from '../support/erasures';
import { UNUSED_WORKFLOW } from '../factories/drill';
import { silentLog } from '../support/log';
import { captureThrough, PG_DUMP_WORKER } from '../support/schema';

const ROWS = `
  INSERT INTO public.customers (email) VALUES ('a@example.com'), ('b@example.com');
  INSERT INTO public.orders (customer_id, total) VALUES (1, 10), (2, 20.5)`;

let site: ArchiveSite;
let connector: DatabaseConnector;

beforeEach(async () => {
  site = await createForeignSite(`${schemaFile('gap-orders')}; ${ROWS}`);
  connector = {
    ...site.source.connector,
    target: { ...site.source.connector.target, name: 'main', managed: 'elsewhere' },
  };
});

afterEach(() => site.remove());

function adopt(name: string, managed: 'here' | 'elsewhere' = 'elsewhere', dryRun = false) {
  return migrate(
    {
      connector: { ...connector, target: { ...connector.target, managed } },
      migrationsDirectory: site.migrations.directory,
      clock: () => new Date(),
    },
    { action: 'apply', database: 'main', dryRun, adopt: name },
  );
}

/** The application's rows. */
async function rowsOf(database: string): Promise<[string, string[]][]> {
  return Object.entries(await contentOf(database)).filter(([table]) => table.startsWith('public.'));
}

async function applicationSchema(): Promise<string> {
  const { before, after } = await captureThrough(site.source.connector);
  return `${before}${after}`
    .split('\n')
    .filter((line) => line.includes('public'))
    .join('\n');
}

function dependencies() {
  const clock = () => new Date();
  const { store, migrations } = site;
  return {
    connector,
    store,
    migrationsDirectory: migrations.directory,
    pgDumpWorker: PG_DUMP_WORKER,
    log: silentLog,
    clock,
  };
}

describe('a main database whose tables an ORM has made', () => {
  test('is refused by every function until it is adopted by its name, and nothing is written', async () => {
    const schema = await applicationSchema();
    await expect(site.backup('2026-11-21T06:00:00Z')).rejects.toMatchObject({ code: 'wrong_database' });
    const status = { action: 'status', database: 'main' } as const;
    const migrationsDirectory = site.migrations.directory;
    await expect(migrate({ connector, migrationsDirectory, clock: () => new Date() }, status)).rejects.toMatchObject({
      code: 'foreign_database',
      message: expect.stringContaining('is adopted by its name') as string,
    });
    await expect(adopt('another')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(`reaches database ${site.source.name}, not another`) as string,
    });
    await expect(adopt(site.source.name, 'here')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('managed: elsewhere') as string,
    });
    expect(await adopt(site.source.name, 'elsewhere', true)).toMatchObject({ dryRun: true, applied: [] });
    expect(await applicationSchema()).toBe(schema);
    expect(Object.keys(await contentOf(site.source.name))).toEqual(['public.customers', 'public.orders']);
  });

  test('is adopted by one command that touches none of its tables, and then archived, verified, restored and drilled', async () => {
    const [schema, rows] = [await applicationSchema(), await rowsOf(site.source.name)];
    expect(await adopt(site.source.name)).toMatchObject({ dryRun: false, pending: [] });
    expect(await applicationSchema()).toBe(schema);
    expect(await rowsOf(site.source.name)).toEqual(rows);

    expect(await site.backup('2026-11-21T06:00:00Z')).toMatchObject({ outcome: 'created', omissions: [] });
    const verified = await verifyDatabase({ ...dependencies() }, {});
    expect(verified).toMatchObject({ sound: true, problems: [], notChecked: [], foreignKeysChecked: 1 });
    const { targetDatabase, deviations, schemaDifferences } = await site.restore();
    expect([...deviations, ...schemaDifferences]).toEqual([]);
    expect(await contentOf(targetDatabase)).toEqual(await contentOf(site.source.name));
    expect(
      await runDrill({ ...dependencies(), erasures: noErasures, targetMs: 3_600_000, workflow: UNUSED_WORKFLOW }),
    ).toMatchObject({
      outcome: 'passed',
    });
  });

  test('gets rows back that were deleted since its archive, unless a person was erased meanwhile', async () => {
    await adopt(site.source.name);
    const rows = await rowsOf(site.source.name);
    await site.backup('2026-11-21T06:00:00Z');
    await asAdministrator((client) => client.query('DELETE FROM public.orders WHERE id = 2'), site.source.name);
    const report = await reportRows(
      { ...rowReporting(site), connector },
      { archive: 'latest', tables: ['public.orders'] },
    );
    expect(report).toMatchObject({ deleted: 1, changed: 0, related: ['public.customers'] });
    const merge = (erasures: Pick<ErasureReplay, 'ledger'>) =>
      mergeRows(
        { ...dependencies(), cache: noCache, erasures },
        { reportId: report.reportId, choose: 'deleted', confirm: 'main' },
      );
    // An erasure that began since does not find them in main before they are committed.
    const begun = { ledger: { read: async () => erasuresOf(plantedPerson('erased')) } };
    await expect(merge(begun)).rejects.toMatchObject({ code: 'erased_meanwhile' });
    expect(await rowsOf(site.source.name)).not.toEqual(rows);
    const merged = await merge(noErasures);
    expect(merged).toMatchObject({ dryRun: false, inserted: 1 });
    expect(await rowsOf(site.source.name)).toEqual(rows);
  });

  test('is not adopted when it has a schema of the platform’s name, which is left as it is', async () => {
    await asAdministrator(
      (client) => client.query('CREATE SCHEMA operations; CREATE TABLE operations.theirs (id int)'),
      site.source.name,
    );
    await expect(adopt(site.source.name)).rejects.toMatchObject({
      code: 'foreign_database',
      message: expect.stringContaining('rename that schema') as string,
    });
    expect(Object.keys(await contentOf(site.source.name))).toContain('operations.theirs');
  });
});
