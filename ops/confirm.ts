import { createInterface } from 'node:readline/promises';
import type { Context, Surroundings } from './context';
import { CommandError } from './errors';

/** See {@link Context.confirm}. */
export function createConfirm(
  { stdin, stderr }: Pick<Surroundings, 'stdin' | 'stderr'>,
  signal: AbortSignal,
): Context['confirm'] {
  return async (name, given, consequence) => {
    if (given === name) return;
    if (given !== undefined) {
      throw new CommandError('refused', `--confirm ${given}: expected ${name}. Nothing was changed. ${consequence}`);
    }
    if (!stdin.isTTY || !stderr.isTTY) {
      throw new CommandError('refused', `Nothing was changed. ${consequence} To do so, add --confirm ${name}`);
    }
    const terminal = createInterface({ input: stdin, output: stderr });
    try {
      const question = `${consequence}\nType ${name} to continue: `;
      const typed = await terminal.question(question, { signal }).catch((cause: unknown) => {
        // Ctrl-C or Ctrl-D. What the terminal shows next begins on a line of its own.
        stderr.write('\n');
        throw new CommandError('refused', `Nothing was changed: ${name} was not typed`, { cause });
      });
      if (typed.trim() !== name) throw new CommandError('refused', `Nothing was changed: ${name} was not typed`);
    } finally {
      terminal.close();
    }
  };
}
