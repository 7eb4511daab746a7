import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BackupReport } from '../../lambdas/backup/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { type ArchiveSite, createArchiveSite } from '../factories/archive';
import { startBackupFunction } from '../factories/backup-function';
import { type ServedManifestKey, serveManifestKey } from '../support/archive-key';
import { asAdministrator } from '../support/database';
import { childRunning, peakMib, statusMib } from '../support/process-memory';
import { goTool, VERSITYGW } from './tools';
import { type ObjectLockServer, startVersitygw } from './versitygw';

const MIB = 1024 ** 2;
const LIMIT_MIB = 300;
/** As deployed: with less, the garbage collector would run more often and hide retained memory. */
const FUNCTION_MIB = 3538;

/** A table of 1.1 GB in 1.9 million rows. */
const LARGE_DATABASE = `CREATE TABLE operations.bulk AS SELECT n,
  (SELECT string_agg(md5(n || '/' || m), '') FROM generate_series(1, 16) m) AS noise FROM generate_series(1, 1900000) n`;

/** Two values of 200 MB. The binary one becomes 400 MB of hex digits in the COPY text. */
const LARGE_VALUES = `CREATE TABLE operations.large_values (id int PRIMARY KEY, document text, image bytea);
  ALTER TABLE operations.large_values ALTER document SET STORAGE EXTERNAL, ALTER image SET STORAGE EXTERNAL;
  INSERT INTO operations.large_values VALUES (1, (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 6553600) n));
  INSERT INTO operations.large_values SELECT 2, NULL, convert_to(document, 'UTF8') FROM operations.large_values`;

const binary = goTool(VERSITYGW);
const onLinux = process.platform === 'linux';
if (!onLinux) console.warn('SKIPPED: memory is read from /proc, which this system lacks');

(binary && onLinux ? describe : describe.skip)('the backup function', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-size-'));
  let bundle: string;
  let server: ObjectLockServer;
  let secrets: SecretsManager;
  let kms: ServedManifestKey;
  let site: ArchiveSite;
  let bucket: string;

  beforeAll(async () => {
    const bundles = bundleFunctions({ outdir: path.join(folder, 'lambdas') });
    bundle = bundles.find(({ name }) => name === 'backup')?.folder ?? '';
    [server, secrets, kms] = await Promise.all([
      startVersitygw(binary ?? ''),
      startSecretsManager(),
      serveManifestKey(),
    ]);
    bucket = await server.createBucket();
  });

  afterEach(async () => {
    await site.remove();
  });

  afterAll(async () => {
    await Promise.all([server.stop(), secrets.stop(), kms.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the bundled function once in a process of its own. */
  async function measure(): Promise<{ report: BackupReport; functionMib: number; serverMib: number }> {
    const instance = startBackupFunction({
      bundle,
      folder,
      secrets,
      database: site.source.name,
      bucket,
      s3Endpoint: server.endpoint,
      kmsEndpoint: kms.endpoint,
      memoryMib: FUNCTION_MIB,
      timeoutSeconds: 250,
    });
    try {
      await instance.warm();
      const pid = childRunning('lambda-bootstrap');
      const watched = watchServer(site.source.name);
      const report = (await instance.invoke({ database: 'main' })) as BackupReport;
      return { report, functionMib: peakMib(pid), serverMib: await watched() };
    } finally {
      instance.stop();
    }
  }

  test('archives a database of 1.1 GB with less than 300 MB of memory', async () => {
    site = await createArchiveSite('main', LARGE_DATABASE);
    const { report, functionMib } = await measure();
    console.info(
      `${(report.bytes / MIB).toFixed(0)} MiB in ${(report.durationMs / 1000).toFixed(1)} s, ${functionMib} MiB of memory`,
    );
    expect(report.bytes).toBeGreaterThan(1e9 * 0.95);
    expect(functionMib).toBeLessThan(LIMIT_MIB);
  });

  test('archives values of 200 MB with less than 300 MB of memory, and they are restored unchanged', async () => {
    site = await createArchiveSite('main', LARGE_VALUES);
    const { report, functionMib, serverMib } = await measure();
    console.info(
      `Lines of 200 and 400 MiB: ${functionMib} MiB of memory in the function, ${serverMib} MiB in PostgreSQL for the line`,
    );
    expect(functionMib).toBeLessThan(LIMIT_MIB);
    const restored = await site.restore(report.slot, { store: { s3: server.role, bucket, signingKey: kms.key } });
    const fingerprint = `SELECT id, md5(document) AS document, md5(image) AS image, length(image) AS bytes
      FROM operations.large_values ORDER BY id`;
    const of = (name: string) => asAdministrator(async (client) => (await client.query(fingerprint)).rows, name);
    const source = await of(site.source.name);
    expect(source).toMatchObject([{ id: 1 }, { id: 2, bytes: 200 * MIB }]);
    expect(await of(restored.targetDatabase)).toEqual(source);
  });
});

/** Watches the private memory of the server processes that COPY from a database. */
function watchServer(database: string): () => Promise<number> {
  let stopped = false;
  let most = 0;
  const watching = asAdministrator(async (client) => {
    while (!stopped) {
      const copying = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'COPY%'`,
        [database],
      );
      for (const { pid } of copying.rows) most = Math.max(most, statusMib(pid, 'RssAnon'));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  return async () => {
    stopped = true;
    await watching;
    return most;
  };
}
