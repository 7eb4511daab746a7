import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPostgresTools } from '../../bench/backup/postgres-tools';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  listKeys,
  readObject,
  replaceObject,
} from '../factories/archive';
import { EVERY_KIND_OF_TABLE, EVERY_KIND_OF_VALUE } from '../factories/every-kind';
import { asAdministrator } from '../support/database';
import { testServices } from '../support/services';
import { unavailable } from './tools';

const SLOT = '2026-11-21T06:00:00Z';
const SLOT_PREFIX = 'archives/main/20261121T060000Z/';
const STEPS = ['settings', 'check', 'schema', 'load'] as const;

const guide = readFileSync(path.join(__dirname, '../../docs/restore-with-psql.md'), 'utf8');
const stockTools = present('psql') && present('zstd') && present('sha256sum');
const pgDump = findPostgresTools()?.pgDump;
if (pgDump === undefined) unavailable('pg_dump', 'version 17 or newer is needed to dump a server of version 17');

let site: ArchiveSite;
let folder: string;
let restored: string;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-psql-'));
  site = await createArchiveSite('main', EVERY_KIND_OF_TABLE);
  restored = `${site.source.name}_by_hand`;
  await (await site.source.client()).query(EVERY_KIND_OF_VALUE);
  await site.backup(SLOT);
});

afterEach(async () => {
  await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`));
  await site.remove();
  rmSync(folder, { recursive: true, force: true });
});

function present(program: string): boolean {
  const { error } = spawnSync(program, ['--version']);
  if (error) unavailable(program, error.message);
  return error === undefined;
}

/** The environment by which the programs find the cluster. */
function clusterEnvironment(): NodeJS.ProcessEnv {
  const { host, port, user, password, caFile } = testServices().cluster;
  const ssl = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: caFile };
  return { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, ...ssl };
}

/** Downloads the slot as `aws s3 cp --recursive` does, beside the migrations. */
async function download(): Promise<void> {
  for (const key of await listKeys(site.store)) {
    const file = path.join(folder, 'archive', key.slice(SLOT_PREFIX.length));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, await readObject(site.store, key));
  }
  cpSync(site.migrations.directory, path.join(folder, 'migrations/billing'), { recursive: true });
}

function step(name: string): string {
  const code = new RegExp(`^\`\`\`sh name=${name}\\n(.*?)^\`\`\``, 'ms').exec(guide)?.[1];
  if (code === undefined) throw new Error(`The guide has no step ${name}`);
  return code;
}

/** Runs the commands of the guide unchanged, into a database of the test. */
function followGuide(): { status: number | null; output: string } {
  const script = STEPS.map(step).join(`\nexport RESTORED=${restored}\n`);
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: clusterEnvironment(),
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

(stockTools ? describe : describe.skip)('by the guide, with psql, zstd and coreutils alone,', () => {
  test('an archive is restored row for row, with keys, triggers and sequences', async () => {
    await download();
    expect(followGuide()).toEqual({ status: 0, output: '' });
    expect(await contentOf(restored)).toEqual(await contentOf(site.source.name));
    const rest = `SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated) AS keys,
      (SELECT array_agg(tgname || tgenabled::text ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal) AS triggers,
      (SELECT array_agg(sequencename || coalesce(last_value, -1) ORDER BY sequencename) FROM pg_sequences) AS sequences`;
    const of = (name: string) => asAdministrator(async (client) => (await client.query(rest)).rows, name);
    expect(await of(restored)).toEqual(await of(site.source.name));
  });

  test('an altered object is named, and no database is created', async () => {
    const altered = (await listKeys(site.store)).find((key) => key.includes('migrations/')) ?? '';
    await replaceObject(site.store, altered, 'something else');
    await download();
    const { status, output } = followGuide();
    expect(status).not.toBe(0);
    expect(output).toContain(`${altered.slice(SLOT_PREFIX.length)}: FAILED`);
    const databases = await asAdministrator((client) =>
      client.query('SELECT FROM pg_database WHERE datname = $1', [restored]),
    );
    expect(databases.rowCount).toBe(0);
  });

  test('an edited migration is named', async () => {
    await download();
    writeFileSync(path.join(folder, 'migrations/billing/0001_create_identity.sql'), '-- edited');
    const { status, output } = followGuide();
    expect(status).not.toBe(0);
    expect(output).toContain('0001_create_identity.sql: FAILED');
  });
});

(pgDump === undefined ? describe.skip : describe)('compared by pg_dump,', () => {
  /** A dump without its random lines. */
  function dump(database: string): string {
    const dumped = spawnSync(pgDump ?? '', ['--dbname', database], {
      env: clusterEnvironment(),
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    if (dumped.status !== 0) throw new Error(dumped.stderr);
    return dumped.stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
  }

  test('a restored database equals its source in schema and data', async () => {
    const { targetDatabase } = await site.restore();
    const source = dump(site.source.name);
    expect(source).toContain('COPY "Odd. Schema/é".types');
    expect(dump(targetDatabase)).toBe(source);
  });
});
