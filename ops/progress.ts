import { span } from './print/units';

const INTERVAL_MS = 1000;
const CLEAR_LINE = '\r\u{1b}[K';

/** Shows on a terminal how long a command has been waiting. */
export interface Progress {
  stop(): void;
}

/** A line on the standard error that is replaced every second; none where it is no terminal. */
export function showProgress(stream: NodeJS.WriteStream, name: string): Progress {
  if (!stream.isTTY) return { stop: () => undefined };
  const started = performance.now();
  const timer = setInterval(() => {
    const waited = span((performance.now() - started) / 1000);
    stream.write(`${CLEAR_LINE}${name}: ${waited} (Ctrl-C stops waiting, not the run)`);
  }, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      stream.write(CLEAR_LINE);
    },
  };
}
