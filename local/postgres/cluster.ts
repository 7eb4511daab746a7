import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { createLocalCertificate } from '../runtime/certificates';
import { freePort, LOOPBACK } from '../runtime/ports';
import { findBinaries, serverAccount, type Account, type PostgresBinaries } from './binaries';
import { createHome, discardFormer, recoverOrphan, removeDetached, stopServer, writeFor, writeRecord } from './folder';
import { identify, signal, type ProcessIdentity } from '../runtime/processes';

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
  /** Survive a crash of the machine. `false` skips every fsync: for clusters that are thrown away. @default true */
  readonly durable?: boolean;
  /** Told what is out of the ordinary, such as an orphan that was stopped. @default nobody */
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
  readonly pid: number;
  /** What the server wrote. */
  readonly logFile: string;
  /** Disconnects clients, stops the server and resolves when it has ended. May be called again. */
  stop(): Promise<void>;
}

const run = promisify(execFile);
const START_TIMEOUT_MS = 30_000;
/** Times that another free port is tried, when something took the first in the moment before the server did. */
const PORT_ATTEMPTS = 3;

async function initialise(
  binaries: PostgresBinaries,
  account: Account | undefined,
  home: string,
  password: string,
): Promise<void> {
  const passwordFile = join(home, 'password');
  writeFor(account, passwordFile, password);
  // PostgreSQL's own locale behaves the same on every machine, and starts faster than the operating system's.
  const settings = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  try {
    await run(binaries.initdb, ['-D', join(home, 'data'), ...access, ...settings, '--no-sync', '--no-instructions'], {
      ...account,
      cwd: home,
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    });
  } finally {
    rmSync(passwordFile);
  }
}

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
  return { child, identity };
}

/** Settings that buy speed with durability. */
const THROWAWAY_SETTINGS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/**
 * Creates a PostgreSQL cluster and starts its server, on 127.0.0.1 only and without a Unix socket. As root it runs as
 * another account. It ends with this process unless this process is killed outright; see {@link recoverOrphan}.
 *
 * @throws when the folder belongs to something else or is in use, when PostgreSQL is not installed, or does not start
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { durable = true, tls = false, password = randomBytes(18).toString('base64url'), log } = options;
  const directory = resolve(options.directory);
  const orphan = await recoverOrphan(directory);
  if (orphan !== undefined) log?.(`stopped PostgreSQL (process ${orphan}) that a crashed run had left in ${directory}`);
  discardFormer(directory);

  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('Cannot read when this process started; is "ps" installed?');
  const account = serverAccount();
  const binaries = findBinaries(account);
  const home = createHome(directory, account);
  writeRecord(directory, { owner, home });
  if (dirname(home) !== directory)
    log?.(`${directory} is out of reach for PostgreSQL's account; its data is in ${home}`);
  await initialise(binaries, account, home, password);
  const secure = tls ? await requireTls(directory, home, account) : undefined;
  const ssl = secure === undefined ? false : { ca: readFileSync(secure.caFile, 'utf8') };
  const logFile = join(directory, 'postgres.log');

  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const settings = [`listen_addresses=${LOOPBACK}`, `port=${port}`, 'unix_socket_directories=', 'timezone=UTC'];
    settings.push(...(secure?.settings ?? []), ...(durable ? [] : THROWAWAY_SETTINGS));
    const server = await launch(binaries.postgres, account, home, settings, logFile);
    writeRecord(directory, { owner, home, server: server.identity });
    const endWithUs = (): void => signal(server.identity.pid, 'SIGINT');
    process.once('exit', endWithUs);
    const stop = async (): Promise<void> => {
      process.off('exit', endWithUs);
      await stopServer(server.identity);
      if (!durable) removeDetached(home);
    };
    try {
      await waitUntilReady(
        server,
        () => new Client({ host: LOOPBACK, port, user: 'postgres', password, database: 'postgres', ssl }),
      );
      const { pid } = server.identity;
      return { host: LOOPBACK, port, user: 'postgres', password, caFile: secure?.caFile, pid, logFile, stop };
    } catch (error) {
      await stop();
      const output = readFileSync(logFile, 'utf8').trim();
      const taken = output.includes('Address already in use');
      if (taken && options.port === undefined && attempt < PORT_ATTEMPTS) continue;
      throw new Error(`${error instanceof Error ? error.message : String(error)}:\n${output.slice(-2_000)}`, {
        cause: error,
      });
    }
  }
}
