import type { EXIT_STATUS } from '../core/runtime/error-codes';
import type { Effect } from '../core/runtime/contract';
import type { Context } from './context';
import type { Value, ValuesOf } from './values';

/** Options or arguments of a command, by their names in camelCase; on the command line an option is `--kebab-case`. */
export type Values = Readonly<Record<string, Value<unknown>>>;

/** A call that the help and `docs/ops.md` show. */
export interface Example {
  /** What follows `ops`, without `--env`. */
  readonly line: string;
  readonly explains: string;
}

/** What a command has found or done. */
export interface CommandResult {
  /** What `--json` prints. */
  readonly report: unknown;
  /** What people read. */
  readonly lines: readonly string[];
  /** @default done */
  readonly exit?: keyof typeof EXIT_STATUS;
}

/** One command of `ops`, as help, completion, `docs/ops.md` and the parser know it. */
export interface Command<Options extends Values = Values, Arguments extends Values = Values> {
  /** Its words, such as `webhooks retry`. */
  readonly name: string;
  /** One sentence without its full stop. */
  readonly summary: string;
  /** Further sentences for the help. @default - none */
  readonly details?: string;
  /** What it does to the platform. An action that does not only read leaves an audit record. */
  readonly effect: Effect;
  /** Its values name a person: the audit record has only its name, since no record may be erased for a year. @default false */
  readonly isAboutAPerson?: boolean;
  /** Works without an environment, in a checkout. @default false */
  readonly isOffline?: boolean;
  /** What it changes, as a sentence; "Nothing." where it only reads. */
  readonly changes: string;
  /** What `--json` prints, such as "the report of `lambdas/backup/contract.ts`". */
  readonly json: string;
  /** When it exits with 1. @default - never */
  readonly finding?: string;
  /** In the order of the command line. */
  readonly arguments: Arguments;
  readonly options: Options;
  readonly examples: readonly Example[];
  readonly run: (context: Context, values: ValuesOf<Options> & ValuesOf<Arguments>) => Promise<CommandResult>;
}

/** What every command takes. */
export const GLOBAL_OPTIONS = {
  env: 'Environment: the name of a file in environments/, or local for the platform that npm start runs. Default: $OPS_ENV',
  json: 'Print the report as JSON',
  verbose: 'Print the stack of an error',
  withoutAudit: 'Act although the audit log cannot be written, in an emergency',
} as const;

/** Fixes the types of a command's values, so that `run` sees them. */
export function defineCommand<const Options extends Values, const Arguments extends Values>(
  command: Command<Options, Arguments>,
): Command {
  return command as unknown as Command;
}
