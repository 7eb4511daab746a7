import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BenchDatabase, BenchServer } from '../support/server';
import type { Contender } from './contender';
import type { ObjectServer } from './object-server';
import type { PostgresTools } from './postgres-tools';
import { downloadFolder, downloadStream, uploadFolder, uploadStream } from './transfer';

/** Processes of `pg_dump` and `pg_restore`: one for each core. This platform is one process with three connections. */
const JOBS = '2';

/** `pg_dump` and its kin, uploading to, and restoring from, the same S3 server. */
export function stockTools(
  { pgDump, pgRestore, psql }: PostgresTools,
  server: BenchServer,
  database: BenchDatabase,
  objects: ObjectServer,
): Contender[] {
  const environment = {
    PATH: process.env.PATH,
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: server.caFile,
  };
  const start = (program: string, args: readonly string[], stdin: 'pipe' | 'ignore', stdout: 'pipe' | 'ignore') =>
    spawn(program, args, { env: environment, stdio: [stdin, stdout, 'inherit'] });
  const run = (program: string, ...args: string[]): Promise<void> =>
    succeeded(start(program, args, 'ignore', 'ignore'), program);

  /** Dumps into a folder and uploads that; downloads it and restores from it. */
  const directory = (name: string, ...options: string[]): Contender => {
    const prefix = name.replaceAll(/[^A-Za-z0-9]+/g, '-');
    const folder = join(server.directory, prefix);
    let files: string[] = [];
    return {
      name,
      async save() {
        await run(pgDump, '-Fd', '-j', JOBS, ...options, '-f', folder, database.name);
        files = await readdir(folder);
        const bytes = await uploadFolder(objects, prefix, folder);
        await rm(folder, { recursive: true });
        return bytes;
      },
      async restore(targetDatabase) {
        await downloadFolder(objects, prefix, files, folder);
        await run(pgRestore, '-j', JOBS, '-d', targetDatabase, folder);
        await rm(folder, { recursive: true });
      },
    };
  };

  const plain: Contender = {
    name: 'pg_dump + gzip',
    async save() {
      const script = '"$0" "$1" | gzip';
      const dump = start('bash', ['--norc', '-o', 'pipefail', '-c', script, pgDump, database.name], 'ignore', 'pipe');
      if (dump.stdout === null) throw new Error('pg_dump has no output');
      const [bytes] = await Promise.all([
        uploadStream(objects, 'plain.sql.gz', dump.stdout),
        succeeded(dump, 'pg_dump'),
      ]);
      return bytes;
    },
    async restore(targetDatabase) {
      const script = 'gunzip | "$0" --quiet --set ON_ERROR_STOP=1 --dbname "$1"';
      const load = start('bash', ['--norc', '-o', 'pipefail', '-c', script, psql, targetDatabase], 'pipe', 'ignore');
      if (load.stdin === null) throw new Error('psql has no input');
      await Promise.all([pipeline(await downloadStream(objects, 'plain.sql.gz'), load.stdin), succeeded(load, 'psql')]);
    },
  };
  return [
    plain,
    directory('pg_dump -Fd -j2'),
    directory('pg_dump -Fd -j2 -Z1', '-Z', '1'),
    directory('pg_dump -Fd -j2 -Z zstd:1', '-Z', 'zstd:1'),
  ];
}

async function succeeded(child: ChildProcess, program: string): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with status ${code}`);
}
