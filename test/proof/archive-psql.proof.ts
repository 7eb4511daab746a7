import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { compareSchemas, formatDifferences } from '../../core/schema/compare';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  listKeys,
  readObject,
  replaceObject,
} from '../factories/archive';
import { EVERY_KIND_OF_TABLE, EVERY_KIND_OF_VALUE } from '../factories/every-kind';
import { createManifestKey } from '../support/archive-key';
import { asAdministrator } from '../support/database';
import { createMasterRole } from '../support/roles';
import { captureThrough } from '../support/schema';
import { testServices } from '../support/services';
import { unavailable } from './tools';

const SLOT = '2026-11-21T06:00:00Z';
const SLOT_PREFIX = 'archives/main/20261121T060000Z/';
const STEPS = ['settings', 'check', 'signature', 'database', 'before', 'load', 'after'] as const;

const guide = readFileSync(path.join(__dirname, '../../docs/restore-with-psql.md'), 'utf8');
const stockTools = present('psql') && present('zstd') && present('sha256sum') && present('openssl', 'version');
const pgDump = findPostgresTools()?.pgDump;
if (pgDump === undefined) unavailable('pg_dump', 'version 17 or newer is needed to dump a server of version 17');

/** What belongs to the database, and what is stored outside of its tables. */
const COMPANY = `
  -- Only a superuser may create it; RDS lets the owner of the instance.
  DROP EXTENSION IF EXISTS pg_prewarm;
  DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = "$user", public, shop', current_database());
    EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$;
  CREATE SCHEMA shop; CREATE TYPE shop.kind AS ENUM ('a', 'b', 'c', 'd');
  CREATE TABLE shop.hashed (kind shop.kind NOT NULL, n int) PARTITION BY HASH (kind);
  CREATE TABLE shop.hashed_0 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE shop.hashed_1 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO shop.hashed SELECT kind, 1 FROM unnest(enum_range(NULL::shop.kind)) AS kind;
  CREATE MATERIALIZED VIEW shop.totals AS SELECT count(*) AS n FROM shop.hashed;
  ALTER TABLE shop.hashed ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.hashed FORCE ROW LEVEL SECURITY;
  CREATE TABLE "x$check$
\\! touch pwned #" ("new
\\! touch pwned" int, "$$;\\! touch pwned" text DEFAULT '\\! touch pwned');
  INSERT INTO "x$check$
\\! touch pwned #" VALUES (1, E'\\\\.\n\\\\! touch pwned');
  SELECT lo_from_bytea(4242, '\\x00ff'); COMMENT ON LARGE OBJECT 4242 IS 'ours'; GRANT SELECT ON LARGE OBJECT 4242 TO PUBLIC`;

let site: ArchiveSite;
let folder: string;
let restored: string;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-psql-'));
  const signingKey = createManifestKey();
  writeFileSync(path.join(folder, 'archive-signing-key.pem'), signingKey.publicKeyPem);
  site = await createArchiveSite('main', EVERY_KIND_OF_TABLE, signingKey);
  restored = `${site.source.name}_by_hand`;
  await (await site.source.client()).query(EVERY_KIND_OF_VALUE);
});

afterEach(async () => {
  await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`));
  await site.remove();
  rmSync(folder, { recursive: true, force: true });
});

function present(program: string, version = '--version'): boolean {
  const { error } = spawnSync(program, [version]);
  if (error) unavailable(program, error.message);
  return error === undefined;
}

/** The environment by which the programs find the cluster. */
function clusterEnvironment(): NodeJS.ProcessEnv {
  const { host, port, user, password, caFile } = testServices().cluster;
  const ssl = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: caFile };
  return { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, ...ssl };
}

/** Downloads the slot as `aws s3 cp --recursive` does. */
async function download(): Promise<void> {
  for (const key of await listKeys(site.store)) {
    const file = path.join(folder, 'archive', key.slice(SLOT_PREFIX.length));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, await readObject(site.store, key));
  }
}

function step(name: string): string {
  const code = new RegExp(`^\`\`\`sh name=${name}\\n(.*?)^\`\`\``, 'ms').exec(guide)?.[1];
  if (code === undefined) throw new Error(`The guide has no step ${name}`);
  return code;
}

/** Runs the commands of the guide unchanged, into a database of the test. */
function followGuide(user: NodeJS.ProcessEnv = {}): { status: number | null; output: string } {
  const script = STEPS.map(step).join(`\nexport RESTORED=${restored}\n`);
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { ...clusterEnvironment(), ...user },
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

/** Rows by table, without partitions whose rows the ids of an enum's values divide. */
async function rowsOf(database: string): Promise<Record<string, string[]>> {
  const { 'shop.hashed_0': _, 'shop.hashed_1': __, ...content } = await contentOf(database);
  return content;
}

(stockTools ? describe : describe.skip)('by the guide, with psql, zstd and coreutils alone,', () => {
  beforeEach(async () => {
    await asAdministrator((client) => client.query(COMPANY), site.source.name);
    await site.backup(SLOT);
  });

  test('an archive is restored row for row, with keys, triggers and sequences', async () => {
    await download();
    expect(followGuide()).toEqual({ status: 0, output: 'Verified OK\nAll rows are loaded\n' });
    expect(spawnSync('find', [folder, '-name', 'pwned'], { encoding: 'utf8' }).stdout).toBe('');
    expect(await rowsOf(restored)).toEqual(await rowsOf(site.source.name));
    const [archived, again] = [
      await captureThrough(site.source.connector),
      await captureThrough(site.source.connector, restored),
    ];
    expect(formatDifferences(compareSchemas(archived, again))).toBe('');
    const rest = `SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated) AS keys,
      (SELECT array_agg(tgname || tgenabled::text ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal) AS triggers,
      (SELECT array_agg(md5(lo_get(oid)) || lomacl::text ORDER BY oid) FROM pg_largeobject_metadata) AS objects,
      (SELECT array_agg(kind::text || n ORDER BY kind) FROM shop.hashed) AS hashed, (SELECT n FROM shop.totals) AS totals,
      (SELECT array_agg(sequencename || coalesce(last_value, -1) ORDER BY sequencename) FROM pg_sequences) AS sequences`;
    const of = (name: string) => asAdministrator(async (client) => (await client.query(rest)).rows, name);
    expect(await of(restored)).toEqual(await of(site.source.name));
  });

  test('a role that is no superuser restores every row and key, and reads which owners it could not set', async () => {
    await download();
    const { name } = await createMasterRole();
    try {
      const { status, output } = followGuide({ PGUSER: name, PGPASSWORD: 'p' });
      const lines = output.trim().split('\n');
      expect([status, lines.slice(0, 2)]).toEqual([0, ['Verified OK', 'All rows are loaded']]);
      const ofOwners =
        /SET ROLE "postgres"$|cannot change owner of sequence|^DETAIL: {2}Sequence .* is linked to table/;
      const others = lines.slice(2).filter((line) => !ofOwners.test(line));
      expect(others).toEqual([]);
      expect(await rowsOf(restored)).toEqual(await rowsOf(site.source.name));
    } finally {
      await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`));
      await asAdministrator((client) => client.query(`DROP ROLE ${name}`));
    }
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

  test('a manifest that the backup did not sign is refused', async () => {
    await download();
    const manifest = path.join(folder, 'archive/manifest.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"main"', '"main" '));
    const { status, output } = followGuide();
    expect(status).not.toBe(0);
    expect(output).toContain('Verification failure');
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
    await site.backup(SLOT);
    const { targetDatabase } = await site.restore();
    const source = dump(site.source.name);
    expect(source).toContain('COPY "Odd. Schema/é".types');
    expect(dump(targetDatabase)).toBe(source);
  });
});
