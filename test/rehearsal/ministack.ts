import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, LOOPBACK } from '../../local/runtime/ports';
import { signal } from '../../local/runtime/processes';

/** The emulator of AWS. Pinned: what it runs, drops and rejects changes with each version. */
export const MINISTACK_VERSION = '1.5.33';

/** By which it signs in place of KMS. */
const CRYPTOGRAPHY = 'cryptography==46.0.3';

/** What the commands of docs/ need. */
const AWS_CLI_VERSION = '1.46.3';

const CACHE = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'billing-operations');
const INSTALL_TIMEOUT_MS = 5 * 60_000;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

/** Either the Python that has the emulator and the command line of AWS, or why there is none. */
export type Installation = { readonly python: string } | { readonly unavailable: string };

/** Installs the emulator into a virtual environment of its own, kept for later runs. */
export function installMinistack(): Installation {
  const folder = path.join(CACHE, `ministack-${MINISTACK_VERSION}-awscli-${AWS_CLI_VERSION}`);
  const python = path.join(folder, 'bin', 'python');
  const complete = (): boolean =>
    existsSync(python) &&
    spawnSync(python, ['-c', 'import ministack, cryptography, awscli'], { stdio: 'ignore' }).status === 0;
  if (complete()) return { python };
  mkdirSync(CACHE, { recursive: true });
  for (const [program, ...args] of [
    ['python3', '-m', 'venv', '--clear', folder],
    [
      python,
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      `ministack==${MINISTACK_VERSION}`,
      CRYPTOGRAPHY,
      `awscli==${AWS_CLI_VERSION}`,
    ],
  ] as const) {
    const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
    if (status === 0) continue;
    // Half an environment would be taken for a whole one by a later run that is offline.
    rmSync(folder, { recursive: true, force: true });
    return { unavailable: (error?.message ?? stderr).trim().split('\n').at(-1) ?? `${program} failed` };
  }
  return complete() ? { python } : { unavailable: 'it was installed, but cannot be imported' };
}

export interface MinistackOptions {
  readonly python: string;
  /** Folder of all that it writes. */
  readonly directory: string;
  readonly account: string;
  readonly region: string;
  /** Folder with the `node` that runs the functions, whatever runtime they name. */
  readonly nodeFolder: string;
}

/** A running emulator. */
export interface Ministack {
  /** Of every service. */
  readonly endpoint: string;
  readonly logFile: string;
  /** The process, and the group of those that run functions. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts the emulator on loopback, on a free port. */
export async function startMinistack(options: MinistackOptions): Promise<Ministack> {
  const { python, directory, account, region, nodeFolder } = options;
  const port = await freePort();
  const logFile = path.join(directory, 'ministack.log');
  const scratch = path.join(directory, 'ministack');
  mkdirSync(scratch, { recursive: true });
  const output = openSync(logFile, 'w', 0o600);
  const child = spawn(python, ['-m', 'ministack'], {
    cwd: scratch,
    env: {
      PATH: `${nodeFolder}:${process.env.PATH ?? ''}`,
      HOME: scratch,
      TMPDIR: scratch,
      STATE_DIR: path.join(scratch, 'state'),
      S3_DATA_DIR: path.join(scratch, 's3'),
      BIND_HOST: LOOPBACK,
      // What queue URLs and the addresses of APIs are made of.
      MINISTACK_HOST: LOOPBACK,
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      MINISTACK_ACCOUNT_ID: account,
      AWS_ACCESS_KEY_ID: account,
      AWS_SECRET_ACCESS_KEY: 'rehearsal',
      AWS_XRAY_CONTEXT_MISSING: 'IGNORE_ERROR',
      SFTP_ENABLED: '0',
      IOT_MTLS_ENABLED: '0',
    },
    stdio: ['ignore', output, output],
    // A group of its own, which is what stops the functions' processes with it.
    detached: true,
  });
  closeSync(output);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot run ${python}`);
  const stop = async (): Promise<void> => {
    signal(-pid, 'SIGTERM');
    await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    signal(-pid, 'SIGKILL');
    await ended;
  };
  const endpoint = `http://${LOOPBACK}:${port}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const healthy = await fetch(`${endpoint}/_ministack/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return { endpoint, logFile, pid, stop };
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`MiniStack does not start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    }
    await sleep(50);
  }
}
