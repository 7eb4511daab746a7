import { Argument, Command as Parser, CommanderError, InvalidArgumentError, Option } from 'commander';
import { version } from '../package.json';
import { EXIT_STATUS } from '../core/runtime/error-codes';
import { GLOBAL_OPTIONS, type Command } from './command';
import { COMMANDS, GROUPS } from './commands';
import { completionScript, SHELLS } from './completion';
import type { Surroundings } from './context';
import { CommandError } from './errors';
import { runCommand, type GlobalValues } from './run-command';
import { argumentUsage, commandUsage, optionUsage, valueSummary } from './usage';
import type { Form, Value } from './values';

/**
 * Parses a command line and runs its command.
 *
 * @param argv what follows the name of the program
 * @returns the exit status
 */
export async function runProgram(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  let status: number = EXIT_STATUS.done;
  const commandLine = ['ops', ...argv].join(' ');
  const program = buildParser(surroundings, async ({ command, values, globals }) => {
    status = await runCommand(command, values, { ...globals, commandLine }, surroundings);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const isHelp = ['commander.helpDisplayed', 'commander.version'].includes(error.code);
    return isHelp ? EXIT_STATUS.done : EXIT_STATUS.usage;
  }
}

/** A command line that was understood. */
export interface ParsedLine {
  readonly command: Command;
  /** Its options and arguments, by their names. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly globals: Omit<GlobalValues, 'commandLine'>;
}

/**
 * Understands a command line without running it.
 *
 * @throws CommanderError for a line that would exit with 2
 */
export async function parseLine(
  argv: readonly string[],
  output: Pick<Surroundings, 'stdout' | 'stderr'>,
): Promise<ParsedLine> {
  let parsed: ParsedLine | undefined;
  await buildParser(output, async (line) => {
    parsed = line;
  }).parseAsync([...argv], { from: 'user' });
  if (parsed === undefined) throw new CommandError('usage', `ops ${argv.join(' ')} is not a command`);
  return parsed;
}

/** The parser of every command: names, options and help come from the descriptions. */
function buildParser(
  { stdout, stderr }: Pick<Surroundings, 'stdout' | 'stderr'>,
  run: (line: ParsedLine) => Promise<void>,
): Parser {
  const program = new Parser('ops')
    .description('Operates billing: backups, restores, migrations, webhooks, reconciliation. The same here and on AWS.')
    .usage('<command> --env <environment>')
    .version(version, '--version', 'Print the version')
    .helpCommand(false)
    // Before a command, only the options of every command are known; behind it, its own are as well.
    .enablePositionalOptions()
    .addHelpText('after', HELP_END)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // One line: the suggestion of the nearest name comes on a second one.
      outputError: (text, write) => write(`${text.trim().replaceAll(/\s*\n\s*/g, ' ')}\n`),
    });
  addGlobalOptions(program, true);
  for (const command of COMMANDS) addCommand(program, command, run);
  program
    .command('completion')
    .summary('Prints a script that completes commands in a shell')
    .addArgument(new Argument('<shell>', 'The shell').choices(SHELLS))
    .addHelpText('after', '\nExample:\n  source <(npx ops completion bash)')
    .action((shell: (typeof SHELLS)[number]) => void stdout.write(completionScript(shell, COMMANDS)));
  addHelpCommand(program);
  explainUnknownOptions(program);
  return program;
}

/** The options of every command, which may also stand before it. */
function addGlobalOptions(parser: Parser, leavesAudit: boolean): Parser {
  parser
    .option('--env <environment>', GLOBAL_OPTIONS.env)
    .option('--json', GLOBAL_OPTIONS.json)
    .option('--verbose', GLOBAL_OPTIONS.verbose);
  return leavesAudit ? parser.option('--without-audit', GLOBAL_OPTIONS.withoutAudit) : parser;
}

/** Options that were given to a command, or before it. */
function optionsOf(parser: Parser): GlobalValues & Record<string, unknown> {
  return { ...(parser.parent && optionsOf(parser.parent)), ...parser.opts<GlobalValues & Record<string, unknown>>() };
}

/** `ops help webhooks retry` is `ops webhooks retry --help`. */
function addHelpCommand(program: Parser): void {
  program
    .command('help')
    .summary('Prints the help of a command or a group of commands')
    .argument('[command...]', 'Its words, such as webhooks retry')
    .action(async (words: readonly string[]) => {
      let parser = program;
      for (const [index, word] of words.entries()) {
        // What follows a command are its arguments, which its help describes.
        if (parser.commands.length === 0) break;
        const next = parser.commands.find((candidate) => candidate.name() === word);
        // Throws, with the nearest command. Words behind the unknown one are left out, so that no command can run.
        if (next === undefined) await program.parseAsync(words.slice(0, index + 1), { from: 'user' });
        else parser = next;
      }
      parser.outputHelp();
    });
}

/** Has a group that meets an option of a command before the command say where it belongs. */
function explainUnknownOptions(parser: Parser): void {
  if (parser.commands.length === 0) return;
  for (const command of parser.commands) explainUnknownOptions(command);
  const output = parser.configureOutput();
  const line = ['ops', ...pathOf(parser), '<command>'].join(' ');
  const commands = parser.commands.map((command) => command.name()).join(', ');
  const hint = `. Options of a command follow it: ${line} --option. Commands: ${commands}`;
  parser.configureOutput({
    outputError: (text, write) =>
      output.outputError?.(text.includes('unknown option') ? `${text.trim()}${hint}` : text, write),
  });
}

const HELP_END = `
Exit codes: 0 done, 1 done and something needs attention, 2 wrong command line, 3 refused, 4 failed.
docs/ops.md describes every command, ops help <command> one. ops completion bash prints shell completion.`;

function addCommand(program: Parser, command: Command, run: (line: ParsedLine) => Promise<void>): void {
  const words = command.name.split(' ');
  const parent = words.slice(0, -1).reduce((above, word) => group(above, word), program);
  const parser = parent
    .command(words.at(-1) ?? '')
    .summary(command.summary)
    .description([`${command.summary}.`, command.details ?? ''].join(' ').trim())
    .usage(commandUsage(command).slice(`ops ${command.name} `.length))
    .addHelpText('after', helpEndOf(command));
  for (const [name, value] of Object.entries(command.arguments)) parser.addArgument(argumentOf(name, value));
  for (const [name, value] of Object.entries(command.options)) parser.addOption(optionOf(name, value));
  const leavesAudit = command.effect !== 'reads';
  addGlobalOptions(parser, leavesAudit).action(async (...given: unknown[]) => {
    const parameters = Object.keys(command.arguments).map((name, index) => [name, given[index]] as const);
    const { env, json, verbose, withoutAudit, ...own } = optionsOf(parser);
    if (withoutAudit === true && !leavesAudit) {
      parser.error(`error: --without-audit is not for ${command.name}, which only reads and leaves no audit record`);
    }
    const values = Object.entries(command.options).map(
      ([name, { kind }]) => [name, own[name] ?? (kind === 'one' ? undefined : kind === 'many' ? [] : false)] as const,
    );
    await run({
      command,
      values: Object.fromEntries([...values, ...parameters]),
      globals: { env, json, verbose, withoutAudit },
    });
  });
}

/** The parser of a group of commands such as `webhooks`. */
function group(above: Parser, word: string): Parser {
  const known = above.commands.find((candidate) => candidate.name() === word);
  if (known) return known;
  const path = [...pathOf(above), word].join(' ');
  const summary = GROUPS[path] ?? '';
  const parser = above.command(word).summary(summary).description(`${summary}.`).helpCommand(false);
  return addGlobalOptions(parser, true);
}

function pathOf(parser: Parser): string[] {
  return parser.parent ? [...pathOf(parser.parent), parser.name()] : [];
}

function optionOf(name: string, value: Value<unknown>): Option {
  const option = new Option(optionUsage(name, value), valueSummary(value));
  if (value.required) option.makeOptionMandatory();
  if (value.form) option.argParser(parserOf(value.form, value.kind));
  return option;
}

function argumentOf(name: string, value: Value<unknown>): Argument {
  const argument = new Argument(argumentUsage(name, value), valueSummary(value));
  return value.form ? argument.argParser(parserOf(value.form, value.kind)) : argument;
}

function parserOf(form: Form<unknown>, kind: Value<unknown>['kind']) {
  return (text: string, previous: unknown): unknown => {
    try {
      const parsed = form.parse(text);
      return kind === 'many' ? [...(Array.isArray(previous) ? (previous as unknown[]) : []), parsed] : parsed;
    } catch (error) {
      if (error instanceof CommandError) throw new InvalidArgumentError(`${error.message}.`);
      throw error;
    }
  };
}

function helpEndOf({ changes, finding, json, examples }: Command): string {
  return [
    '',
    `Changes: ${changes}`,
    `Exits with 1: ${finding ?? 'never'}.`,
    `--json: ${json}.`,
    '',
    'Examples:',
    ...examples.map(({ line, explains }) => `  ops ${line}\n      ${explains}`),
  ].join('\n');
}
