import { describeServer } from '../../../core/archive/catalog';
import { assertNewDatabase, createDatabase, renameDatabase } from '../../../core/restore/new-database';
import { scratchName } from '../../../core/restore/scratch-names';
import { type ArchiveSite, createArchiveSite } from '../../factories/archive';
import { asAdministrator } from '../../support/database';

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('billing');
  await site.backup('2026-11-21T06:00:00Z');
});

afterEach(() => site.remove());

/** The live database, and those that the platform has made beside it under names of its own. */
async function databasesOf(live: string): Promise<string[]> {
  const found = await asAdministrator((client) =>
    client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE datname = $1 OR datname ~ $2 ORDER BY datname',
      [live, `^(drill|row_recovery|schema|unproven)_${live}`],
    ),
  );
  return found.rows.map(({ datname }) => datname);
}

describe('a restore', () => {
  test('that fails leaves no database, whatever its name', async () => {
    const broken = `INSERT INTO billing.customers VALUES ('cus_1', now());
      INSERT INTO billing.charges (id, customer_id, status, amount, amount_refunded, currency, created_at, version, raw)
      VALUES ('ch_1', 'cus_1', 'succeeded', 1000, 400, 'eur', now(), '', '{"id": "ch_1"}')`;
    await (await site.source.client()).query(broken);
    await site.backup('2026-11-21T12:00:00Z');
    await expect(site.restore()).rejects.toMatchObject({ code: 'archive_inconsistent' });
    expect(await databasesOf(site.source.name)).toEqual([site.source.name]);
  });

  test('drops what a killed one left, and never takes its place', async () => {
    const killed = scratchName('unproven', site.source.name, new Date(Date.now() - 21 * 60_000));
    const running = scratchName('unproven', site.source.name, new Date(Date.now() - 5 * 60_000));
    for (const name of [killed, running]) {
      await asAdministrator((client) => client.query(`CREATE DATABASE ${name}`));
    }
    try {
      await site.restore();
      expect(await databasesOf(site.source.name)).toEqual([site.source.name, running]);
    } finally {
      await asAdministrator((client) => client.query(`DROP DATABASE ${running}`));
    }
  });

  test('refuses a target whose name the sweep of scratch databases would drop', async () => {
    const name = scratchName('unproven', 'billing', new Date());
    const connector = { ...site.source.connector, target: { ...site.source.connector.target, database: 'billing' } };
    await expect(assertNewDatabase(connector, name)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(assertNewDatabase(connector, name)).rejects.toThrow('which it drops again');
  });

  test.each(['create', 'rename'] as const)(
    'says that its name was taken by one that had begun to %s it',
    async (how) => {
      const { connector, name } = site.source;
      const [wanted, other, own] = [`taken_${name}`, `other_${name}`, `own_${name}`];
      const server = await asAdministrator(async (client) => {
        for (const database of [other, own]) await client.query(`CREATE DATABASE ${database}`);
        return describeServer(client);
      });
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%DATABASE%${wanted}%'`;
      try {
        await asAdministrator(async (first) => {
          await first.query(`BEGIN; ALTER DATABASE ${other} RENAME TO ${wanted}`);
          const second =
            how === 'create' ? createDatabase(connector, wanted, server) : renameDatabase(connector, own, wanted);
          const refusal = second.then(
            () => undefined,
            (error: unknown) => error,
          );
          while ((await asAdministrator((client) => client.query(waiting))).rowCount === 0);
          await first.query('COMMIT');
          expect(await refusal).toMatchObject({
            code: 'target_exists',
            message: expect.stringContaining(wanted) as string,
          });
        });
      } finally {
        await asAdministrator(async (client) => {
          for (const database of [wanted, other, own]) await client.query(`DROP DATABASE IF EXISTS ${database}`);
        });
      }
    },
  );

  test('has its final name only once it is proven', async () => {
    const names: string[][] = [];
    const { connector } = site.source;
    await site.restore('latest', {
      connector: {
        ...connector,
        async connect(database?: string) {
          names.push(await site.leftovers());
          return connector.connect(database);
        },
      },
    });
    expect(names.length).toBeGreaterThan(5);
    expect(names.flat()).toEqual([]);
    expect(await site.leftovers()).toHaveLength(1);
  });
});
