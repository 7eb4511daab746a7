import { say } from './console';

/** Exit code of a process that Ctrl-C ended, by the shell's convention. */
export const EXIT_INTERRUPTED = 130;

/** One Ctrl-C arrives several times: from the terminal, and handed on by npm and by tsx. */
const SAME_INTERRUPT_MS = 500;

/** Stops everything at the first Ctrl-C (or SIGTERM), and gives up on doing so in order at the second. */
export function onInterrupt(stop: () => void): void {
  let first: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (first !== undefined) {
        if (performance.now() - first > SAME_INTERRUPT_MS) process.exit(EXIT_INTERRUPTED);
        return;
      }
      first = performance.now();
      say();
      say('Stopping; once more to force it');
      stop();
    });
  }
}
