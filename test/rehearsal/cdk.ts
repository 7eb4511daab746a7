import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

/** A command of the CDK failed; the message is its output. */
export class CdkFailed extends Error {
  constructor(
    command: string,
    readonly output: string,
  ) {
    super(`cdk ${command} failed:\n${output.trim().split('\n').slice(-25).join('\n')}`);
    this.name = 'CdkFailed';
  }
}

export interface CdkOptions {
  /** Folder of the rehearsal. */
  readonly directory: string;
  readonly endpoint: string;
  readonly account: string;
  readonly region: string;
  /** Receives the process, and group, of each command. */
  readonly started: (pid: number) => void;
}

/** Runs the CDK's command line against the emulator. */
export type Cdk = (command: string, ...args: string[]) => Promise<string>;

/** @returns a function that returns the command's output, or throws {@link CdkFailed} */
export function cdkOn({ directory, endpoint, account, region, started }: CdkOptions): Cdk {
  const program = path.join(path.dirname(createRequire(__filename).resolve('aws-cdk/package.json')), 'bin', 'cdk');
  const environment = {
    PATH: process.env.PATH,
    HOME: directory,
    TMPDIR: directory,
    // It remembers the account of an access key; another rehearsal's is another emulator's.
    CDK_HOME: path.join(directory, 'cdk'),
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CI: 'true',
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: 'rehearsal',
    AWS_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
  return async (command, ...args) => {
    const options = ['--no-notices', '--no-version-reporting', '--no-color', '--progress', 'events'];
    const child = spawn(process.execPath, [program, command, ...args, ...options], {
      cwd: directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, to be ended with what it started.
      detached: true,
    });
    if (child.pid !== undefined) started(child.pid);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new CdkFailed(command, output);
    return output;
  };
}
