import { spawnSync } from 'node:child_process';
import { testServices } from './services';

/** What native pg_dump writes of a database of the test cluster. */
export function nativeDump(
  pgDump: string,
  database: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): string {
  const { host, port, user, password, caFile } = testServices().cluster;
  const { status, stdout, stderr } = spawnSync(pgDump, ['--dbname', database, ...flags], {
    env: {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: caFile,
      ...environment,
    },
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
