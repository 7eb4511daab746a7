import { openSync, closeSync, readSync, statSync } from 'node:fs';
import type { LocalFunction } from './lambda-runtime';

/** A line that a function wrote. */
export interface LoggedLine {
  /** Where the line begins in the file, in bytes. */
  readonly offset: number;
  readonly message: string;
  /** Milliseconds since 1970: as the line says itself, or as the one before it. */
  readonly timestamp: number;
  /** Parsed, where the line is JSON. */
  readonly content: Readonly<Record<string, unknown>> | undefined;
}

/** The log of one function, which its processes write to a file. */
export interface FunctionLog {
  /** Name of its log group. */
  readonly group: string;
  readonly file: string;
}

/** The logs of functions by the names of their groups. */
export function logsOf(functions: readonly Pick<LocalFunction, 'definition' | 'logFile'>[]): FunctionLog[] {
  return functions.map(({ definition, logFile }) => ({ group: `/aws/lambda/${definition.name}`, file: logFile }));
}

const CHUNK_BYTES = 1 << 20;
const LINE_FEED = 10;

/** The whole lines of a log, from one that begins at an offset; none before the first is written. */
export function* linesOf({ file }: FunctionLog, from = 0): Generator<LoggedLine> {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return;
  let timestamp = Math.floor(status.birthtimeMs);
  for (const { offset, message } of textLines(file, from)) {
    if (message.trim() === '') continue;
    const content = parse(message);
    timestamp = timeOf(content) ?? timestamp;
    yield { offset, message, timestamp, content };
  }
}

function* textLines(file: string, from: number): Generator<{ offset: number; message: string }> {
  const descriptor = openSync(file, 'r');
  try {
    let rest = Buffer.alloc(0);
    let offset = from;
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const size = readSync(descriptor, chunk, 0, CHUNK_BYTES, offset + rest.length);
      // A line without its end is still being written.
      if (size === 0) return;
      rest = Buffer.concat([rest, chunk.subarray(0, size)]);
      for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED)) {
        yield { offset, message: rest.toString('utf8', 0, end) };
        offset += end + 1;
        rest = rest.subarray(end + 1);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function parse(message: string): LoggedLine['content'] {
  if (!message.startsWith('{')) return undefined;
  try {
    return JSON.parse(message) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function timeOf(content: LoggedLine['content']): number | undefined {
  const { timestamp, _aws: metrics } = content ?? {};
  const emitted = (metrics as { readonly Timestamp?: unknown } | undefined)?.Timestamp;
  if (typeof emitted === 'number') return emitted;
  const said = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(said) ? undefined : said;
}
