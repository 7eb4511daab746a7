import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Client } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { createConnector, type DatabaseConnector } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import type { Log } from '../../core/runtime/telemetry';
import { startCluster } from '../../local/postgres/cluster';
import type { Teardown } from '../../local/runtime/teardown';
import { serverWithLz4 } from './server-with-lz4';
import { progress } from './table';

/** A log that nobody reads: what a contender would write is not what is measured. */
export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A database of the benchmark's server. */
export interface BenchDatabase {
  readonly name: string;
  readonly url: string;
  readonly ssl: { readonly ca: string };
  /** As the functions connect that apply events. */
  readonly connector: DatabaseConnector;
  /** A new connection as the superuser; the caller ends it. */
  connect(): Promise<Client>;
  drop(): Promise<void>;
}

/** The one PostgreSQL server of a run, which all contenders share: durable, TLS only, otherwise as it comes. */
export interface BenchServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly caFile: string;
  /** Folder for what the run writes; deleted at its end. */
  readonly directory: string;
  createDatabase(name: string): Promise<BenchDatabase>;
  /** Processor time that the server and its connections have used, in seconds; NaN where `/proc` does not tell. */
  cpuSeconds(): number;
  /** A handle of a database that exists already, such as a restored one. */
  database(name: string): BenchDatabase;
}

/** Which server runs: one with LZ4 if it can be had, as on RDS. */
function programs(): { readonly packageFolder?: string } {
  try {
    return { packageFolder: serverWithLz4() };
  } catch (error) {
    progress(`ABSENT: a PostgreSQL with LZ4 cannot be had, so events are stored uncompressed: ${String(error)}`);
    return {};
  }
}

/** Starts the server; the teardown stops it and deletes everything that the run wrote. */
export async function startBenchServer(teardown: Teardown): Promise<BenchServer> {
  const directory = mkdtempSync(join(tmpdir(), 'billing-operations-bench-'));
  // The account that PostgreSQL runs as has to reach its data, or it would be kept elsewhere and stay.
  chmodSync(directory, 0o755);
  teardown.add(() => rmSync(directory, { recursive: true, force: true }));
  const cluster = await startCluster({
    directory: join(directory, 'cluster'),
    tls: true,
    durable: true,
    ...programs(),
  });
  teardown.add(() => cluster.stop());
  const { host, port, user, password, caFile } = cluster;
  if (caFile === undefined) throw new Error('The cluster was started without TLS');
  const ca = readFileSync(caFile, 'utf8');
  setDefaultCACertificates([...getCACertificates('default'), ca]);

  const connect = async (database: string): Promise<Client> => {
    const client = new Client({ host, port, user, password, database, ssl: { ca } });
    await client.connect();
    return client;
  };
  const administer = async (sql: string): Promise<void> => {
    const client = await connect('postgres');
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const handle = (name: string): BenchDatabase => ({
    name,
    url: `postgresql://${user}:${password}@${host}:${port}/${name}`,
    ssl: { ca },
    connector: createConnector(
      { name: 'billing', host, port, database: name, secretArn: 'bench' },
      { read: async (_arn, schema) => schema.parse({ username: user, password }) },
      'bench',
    ),
    connect: () => connect(name),
    drop: () => administer(`DROP DATABASE ${name} WITH (FORCE)`),
  });
  return {
    host,
    port,
    user,
    password,
    caFile,
    directory,
    async createDatabase(name) {
      await administer(`CREATE DATABASE ${name} TEMPLATE template0`);
      return handle(name);
    },
    database: handle,
    cpuSeconds: () => cpuSecondsOf(cluster.pid),
  };
}

/** Clock ticks of `/proc` in a second, the same on every Linux. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process, its children, and those of its children that have ended. */
function cpuSecondsOf(parent: number): number {
  try {
    const ticks = readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .flatMap((pid) => timesOf(Number(pid)) ?? [])
      .filter(({ pid, parentPid }) => pid === parent || parentPid === parent)
      .reduce((sum, { pid, own, ended }) => sum + own + (pid === parent ? ended : 0), 0);
    return ticks / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/** Times of a process in ticks; undefined when it has just ended. */
function timesOf(pid: number): { pid: number; parentPid: number; own: number; ended: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may contain anything.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parentPid = 0, , , , , , , , , , user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields;
    return { pid, parentPid, own: user + system, ended: endedUser + endedSystem };
  } catch {
    return undefined;
  }
}

/** Applies the repository's migrations. */
export async function migrate(database: BenchDatabase, name: DatabaseName): Promise<void> {
  const client = await database.connect();
  try {
    await applyMigrations(client, name, join(__dirname, '../../migrations', name));
  } finally {
    await client.end();
  }
}
