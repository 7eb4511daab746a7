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
      const typed = await terminal.question(`${consequence}\nType ${name} to continue: `, { signal });
      if (typed.trim() !== name) throw new CommandError('refused', `Nothing was changed: ${name} was not typed`);
    } finally {
      terminal.close();
    }
  };
}
