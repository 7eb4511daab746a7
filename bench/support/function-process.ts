import { fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Invocation } from '../../local/aws/lambda-messages';
import { BOOTSTRAP } from './bundle';

/** One bundled function in a Node process of its own, as Lambda runs it. */
export interface FunctionProcess {
  /** @throws Error with what the function threw */
  invoke(event: object): Promise<unknown>;
  /** The most memory that the process ever held, in bytes (resident set). */
  peakMemoryBytes(): number;
  stop(): void;
}

/** Long enough for a 5 GiB archive; a function that hangs must not hang the benchmark. */
const TIMEOUT_MS = 20 * 60_000;

/**
 * Starts the function whose bundle is in `folder`.
 *
 * @param heapMib V8's limit for the heap. The process needs more than this; how much is what is measured
 */
export async function startFunction(
  folder: string,
  environment: Readonly<Record<string, string>>,
  options: { readonly heapMib: number; readonly logFile: string },
): Promise<FunctionProcess> {
  const log = openSync(options.logFile, 'a', 0o600);
  const child = fork(join(folder, '..', BOOTSTRAP), [folder, 'index.handler'], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    execArgv: [`--max-old-space-size=${options.heapMib}`],
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const answer = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        finish();
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`No answer in ${TIMEOUT_MS} ms; see ${options.logFile}`))),
        TIMEOUT_MS,
      );
      child.once('message', (message) => settle(() => resolve(message as Answer)));
      child.once('error', (error) => settle(() => reject(error)));
      child.once('exit', (code, signal) =>
        settle(() => reject(new Error(`The function ended (${signal ?? code}); see ${options.logFile}`))),
      );
    });
  const ready = await answer();
  if (ready.kind === 'unloadable') throw new Error(`The bundle in ${folder} does not load: ${ready.errorMessage}`);
  return {
    async invoke(event) {
      const answered = answer();
      const deadlineMs = Date.now() + TIMEOUT_MS;
      child.send({ requestId: 'bench', event, functionArn: 'bench', deadlineMs } satisfies Invocation);
      const outcome = await answered;
      if (outcome.kind === 'error') throw new Error(`${outcome.errorType}: ${outcome.errorMessage}`);
      return outcome.kind === 'result' ? outcome.payload : undefined;
    },
    peakMemoryBytes: () => peakMemoryBytes(child.pid ?? 0),
    stop: () => void child.kill('SIGKILL'),
  };
}

/** Peak resident set of a running process, in bytes; 0 where `/proc` does not tell, or when it has ended. */
export function peakMemoryBytes(pid: number): number {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(peak?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
