import { say } from './console';

/** Exit code of a process that Ctrl-C ended, by the shell's convention. */
export const EXIT_INTERRUPTED = 130;

/** One Ctrl-C arrives several times: from the terminal, and forwarded by npm and by tsx. */
const SAME_INTERRUPT_MS = 500;

/**
 * Calls `stop` at the first Ctrl-C or SIGTERM, and when the reader of standard output is gone, as in `npm start | head`. A
 * second Ctrl-C exits at once.
 */
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
  for (const stream of [process.stdout, process.stderr]) {
    // Emitted for each write after the reader closed its end.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (stream === process.stdout) stop();
    });
  }
}
