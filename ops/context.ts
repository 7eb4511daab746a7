import type { Clients } from './aws/clients';
import type { Invoke } from './aws/invoke';
import type { Target } from './aws/target';
import type { Style } from './print/style';

/** What a command works with. */
export interface Context {
  readonly target: Target;
  readonly clients: Clients;
  readonly invoke: Invoke;
  readonly style: Style;
  readonly now: () => Date;
  /** Aborted by Ctrl-C: the command stops following. What it started continues. */
  readonly signal: AbortSignal;
  /** Writes a line to the standard error at once, such as the progress of a long run. */
  readonly note: (line: string) => void;
  /** Writes a line to the standard output at once, for output without an end such as a log. */
  readonly stream: (line: string) => void;
  /** Reads all of the standard input. */
  readonly readInput: () => Promise<string>;
  /** Reads a secret: typed without echo, or all of the standard input where there is no terminal. */
  readonly readSecret: (prompt: string) => Promise<string>;
  /**
   * Asks for the typed name of what is destroyed or overwritten.
   *
   * @param given value of `--confirm`
   * @param consequence what will happen, as a sentence
   * @throws CommandError `refused` when another name was typed, or none and there is no terminal to ask at
   */
  readonly confirm: (name: string, given: string | undefined, consequence: string) => Promise<void>;
}

/** The streams of the process, and what a command learns from its surroundings. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: NodeJS.ProcessEnv;
}
