import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { CACHE, unavailable } from '../proof/tools';

const INSTALL_TIMEOUT_MS = 10 * 60_000;

/** A command of PyPI, at an exact version. */
export interface PythonTool {
  readonly name: string;
  readonly version: string;
}

/** Checks templates against the specification of CloudFormation, and for what is bad practice. */
export const CFN_LINT: PythonTool = { name: 'cfn-lint', version: '1.58.0' };

/** Checks templates against a catalogue of security policies. */
export const CHECKOV: PythonTool = { name: 'checkov', version: '3.3.30' };

/**
 * Path of a command, installed when it is not in the cache, or `undefined` with a loud line when it cannot be had. Each is
 * in an environment of its own, because they ask for different versions of the same libraries.
 */
export function pythonTool(tool: PythonTool): string | undefined {
  const folder = path.join(CACHE, `${tool.name}-${tool.version}`);
  const command = path.join(folder, 'bin', tool.name);
  if (isWhole(command, tool)) return command;
  console.warn(`Installing ${tool.name} ${tool.version} from PyPI; this takes a minute, once`);
  // What an interrupted attempt left behind.
  rmSync(folder, { recursive: true, force: true });
  for (const [program, ...args] of [
    ['python3', '-m', 'venv', folder],
    [path.join(folder, 'bin', 'pip'), 'install', '--quiet', `${tool.name}==${tool.version}`],
  ] as const) {
    const step = spawnSync(program, args, { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
    if (step.status !== 0) return unavailable(tool.name, step.error?.message ?? step.stderr);
  }
  return isWhole(command, tool) ? command : unavailable(tool.name, `${command} does not answer with its version`);
}

function isWhole(command: string, { version }: PythonTool): boolean {
  const answer = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return answer.status === 0 && answer.stdout.includes(version);
}

/**
 * What a command answers as JSON. These two exit with other codes than 0 when they find something, which is an answer too.
 *
 * @throws Error with what the command wrote to its error output, when its answer is not JSON
 */
export async function jsonOf(command: string, args: readonly string[], cwd: string): Promise<unknown> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { answer: '', error: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.answer += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.error += text));
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  try {
    return JSON.parse(output.answer);
  } catch (cause) {
    throw new Error(`${path.basename(command)} did not answer with JSON: ${output.error.slice(-2_000)}`, { cause });
  }
}
