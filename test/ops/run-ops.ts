import { PassThrough } from 'node:stream';
import { ENVIRONMENTS_VARIABLE } from '../../ops/environment-names';
import { runProgram } from '../../ops/program';
import { EXAMPLE_FOLDER } from '../support/example-environments';

/** What a command printed, and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to an environment that names only the folder of the examples. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What is typed at a terminal. @default - there is no terminal */
  readonly typed?: string;
  /** What is piped into the standard input. @default - nothing */
  readonly piped?: string;
}

/** Runs `ops` in this process, as bin/ops.ts does, with streams of its own. */
export async function runOps(
  argv: readonly string[],
  { environment = {}, typed, piped = '' }: RunOptions = {},
): Promise<Outcome> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const isTTY = typed !== undefined;
  Object.assign(stdin, { isTTY, setRawMode: () => stdin });
  Object.assign(stderr, { isTTY });
  if (typed !== undefined) stdin.write(`${typed}\n`);
  else stdin.end(piped);
  const status = await runProgram(argv, {
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
    environment: { [ENVIRONMENTS_VARIABLE]: EXAMPLE_FOLDER, ...environment },
  });
  const textOf = (stream: PassThrough): string => (stream.read() as Buffer | null)?.toString('utf8') ?? '';
  return { status, stdout: textOf(stdout), stderr: textOf(stderr) };
}
