import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');

/** How a command ended. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandsOptions {
  /** Folder of the rehearsal, and the current one of each command. */
  readonly directory: string;
  /** Python that has the command line of AWS beside it. */
  readonly python: string;
  readonly endpoint: string;
  readonly account: string;
  /** Receives the process, and group, of each command. */
  readonly started: (pid: number) => void;
}

/** Where a command runs: what an operator's shell has exported. */
export interface Shell {
  readonly region: string;
  /** Folder with the settings of environments. */
  readonly environments: string;
  /** Further variables. @default - none */
  readonly variables?: Readonly<Record<string, string>>;
  /** What is piped into the command. @default - nothing */
  readonly piped?: string;
}

/** Runs commands as an operator does: `bash`, with `aws`, and `ops` for `npx ops`, against the emulator. */
export type Commands = (script: string, shell: Shell) => Promise<Outcome>;

/** Prepares the folder of programs. */
export function commandsOn({ directory, python, endpoint, account, started }: CommandsOptions): Commands {
  const programs = path.join(directory, 'programs');
  mkdirSync(programs, { recursive: true });
  const ops = `#!/bin/sh\nexec '${process.execPath}' '${path.join(ROOT, 'bin/ops.mjs')}' "$@"\n`;
  writeFileSync(path.join(programs, 'ops'), ops, { mode: 0o755 });
  return (script, { region, environments, variables, piped = '' }) => {
    const env = {
      PATH: [programs, path.dirname(python), process.env.PATH ?? ''].join(path.delimiter),
      HOME: directory,
      TMPDIR: directory,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      // The command line of AWS reads this one in its version 1.
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: account,
      AWS_SECRET_ACCESS_KEY: 'rehearsal',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      // Not those of the checkout: the settings of the rehearsal are in no file of it.
      OPS_ENVIRONMENTS: environments,
      ...variables,
    };
    return outcomeOf(script, { env, cwd: directory, piped, started });
  };
}

async function outcomeOf(
  script: string,
  { env, cwd, piped, started }: { env: NodeJS.ProcessEnv; cwd: string; piped: string; started: (pid: number) => void },
): Promise<Outcome> {
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd,
    env,
    // A group of its own, to be ended with what it started.
    detached: true,
  });
  if (child.pid !== undefined) started(child.pid);
  // A command that reads nothing may have ended by now.
  child.stdin.on('error', () => undefined);
  child.stdin.end(piped);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString('utf8');
  }) as [() => string, () => string];
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  return { status, stdout: stdout(), stderr: stderr() };
}

/**
 * The commands under a heading of a page of docs/.
 *
 * @throws Error when there is no such heading, or it has no block of that language
 */
export function blockOf(page: string, heading: string, language: 'bash' | 'sql' = 'bash'): string {
  const text = readFileSync(path.join(ROOT, 'docs', page), 'utf8');
  const [, after] = text.split(`\n${heading}\n`);
  const section = after?.split(/\n#{2,3} /)[0];
  const block = section?.split(`\`\`\`${language}\n`)[1]?.split('\n```')[0];
  if (block === undefined) throw new Error(`docs/${page} has no ${language} under ${heading}`);
  return block;
}
