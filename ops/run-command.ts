import { text } from 'node:stream/consumers';
import type { Effect, OperationContract } from '../core/runtime/contract';
import { EXIT_STATUS } from '../core/runtime/error-codes';
import type { Target } from './aws/target';
import type { Command, CommandResult } from './command';
import { createConfirm } from './confirm';
import type { Context, Surroundings } from './context';
import { EXIT_INTERRUPTED, explain, type CommandError } from './errors';
import { styleOf } from './print/style';
import { showProgress } from './progress';
import { readSecret } from './secret-input';
import type { ValuesOf } from './values';

/** Target of a command that reaches no environment. */
const CHECKOUT: Target = { environment: 'local', platform: undefined, label: 'this checkout' };

/** Values of the options that every command takes. */
export interface GlobalValues {
  readonly env?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly withoutAudit?: boolean;
  /** What was typed, for the audit record. */
  readonly commandLine: string;
}

/** Runs one command and prints its outcome. @returns the exit status */
export async function runCommand(
  command: Command,
  values: ValuesOf<Command['options']>,
  globals: GlobalValues,
  surroundings: Surroundings,
): Promise<number> {
  const { stdout, stderr } = surroundings;
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  const started: string[] = [];
  try {
    const result = await perform(command, values, globals, surroundings, interrupted.signal, started);
    const lines = globals.json === true ? [JSON.stringify(result.report, undefined, 2)] : result.lines;
    for (const line of lines) stdout.write(`${line}\n`);
    return EXIT_STATUS[result.exit ?? 'done'];
  } catch (error) {
    if (interrupted.signal.aborted) {
      stderr.write(`Stopped waiting for ${command.name}. ${whatContinues(command, values, started)}\n`);
      return EXIT_INTERRUPTED;
    }
    const failure = explain(error, command.name, globals.env ?? 'this environment');
    stderr.write(`${styleOf(stderr, surroundings.environment).red('error:')} ${failure.message}\n`);
    if (globals.verbose === true) stderr.write(`${stackOf(failure)}\n`);
    return EXIT_STATUS[failure.exit];
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** Where to see what Ctrl-C left running. The audit log does not say it: its record ends with the waiting. */
function whatContinues(command: Command, values: object, started: readonly string[]): string {
  const stem = started.at(-1);
  if (command.effect === 'reads' || isDryRun(values)) return 'Nothing that runs was stopped';
  if (stem !== undefined) return `What was started continues: ops logs ${stem} shows how it ends`;
  return 'Anything that it started continues: ops runs lists it';
}

const isDryRun = (values: object): boolean => (values as { readonly dryRun?: boolean }).dryRun === true;

/** What a request to a function does, which may depend on its action. */
function effectOf({ effect }: OperationContract, request: object): Effect | undefined {
  return typeof effect === 'string' ? effect : effect[(request as { readonly action?: string }).action ?? ''];
}

/** @param started names of the functions that were asked for more than to read, added as they are invoked */
async function perform(
  command: Command,
  values: ValuesOf<Command['options']>,
  globals: GlobalValues,
  surroundings: Surroundings,
  signal: AbortSignal,
  started: string[],
): Promise<CommandResult> {
  const { stdout, stderr, environment } = surroundings;
  const { resolveTarget } = await import('./aws/target');
  const { Clients } = await import('./aws/clients');
  const { createInvoke } = await import('./aws/invoke');
  const target = command.isOffline === true ? CHECKOUT : await resolveTarget(globals.env, environment);
  const clients = new Clients(target);
  const invoke = createInvoke(target, clients, signal);
  const note = (line: string): void => void stderr.write(`${line}\n`);
  const context: Context = {
    target,
    clients,
    signal,
    style: styleOf(stdout, environment),
    now: () => new Date(),
    note,
    stream: (line) => void stdout.write(`${line}\n`),
    confirm: createConfirm(surroundings, signal),
    readInput: () => text(surroundings.stdin),
    readSecret: (prompt) => readSecret(surroundings, prompt),
    async invoke(stem, contract, request) {
      const progress = showProgress(stderr, command.name);
      const asked = request as object;
      if (effectOf(contract, asked) !== 'reads' && !isDryRun(asked)) started.push(stem);
      try {
        return await invoke(stem, contract, request);
      } finally {
        progress.stop();
      }
    },
  };
  try {
    const run = (): Promise<CommandResult> => command.run(context, values);
    if (command.effect === 'reads' || isDryRun(values) || globals.withoutAudit === true) return await run();
    const { audited } = await import('./audit');
    const patient = createInvoke(target, clients, new AbortController().signal);
    const { isAboutAPerson = false } = command;
    const commandLine = isAboutAPerson ? `ops ${command.name} …` : globals.commandLine;
    return await audited({ target, clients, invoke: patient, commandLine, isAboutAPerson, note, signal }, run);
  } finally {
    await clients.close();
  }
}

function stackOf(error: CommandError): string {
  return [error, error.cause]
    .filter((each): each is Error => each instanceof Error)
    .map(({ stack, message }) => stack ?? message)
    .join('\n');
}
