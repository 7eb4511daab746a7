import type { Style } from './print/style';

/** A line of a function's log, as people read it. */
export interface LogLine {
  readonly text: string;
  /** The parsed line. */
  readonly content: object;
  /** A warning or an error. */
  readonly needsAttention: boolean;
}

/** Fields of every line, which say nothing about what happened. */
const COMMON = [
  'timestamp',
  'level',
  'message',
  'service',
  'environment',
  'xray_trace_id',
  'cold_start',
  'sampling_rate',
  'function_name',
  'function_arn',
  'function_memory_size',
  'function_request_id',
];

/**
 * Reads a line of a log: JSON of the function's logger, or text of the runtime's.
 *
 * @returns undefined for metrics, and for what Lambda reports about each invocation
 */
export function readLogLine(message: string, at: Date, style: Style): LogLine | undefined {
  const time = style.dim(at.toISOString().slice(0, 19).replace('T', ' '));
  const content = parse(message);
  if (content === undefined) {
    return { text: `${time} ${message.trim()}`, content: { message: message.trim() }, needsAttention: false };
  }
  if ('_aws' in content || textIn(content, 'type').startsWith('platform.')) return undefined;
  const level = textIn(content, 'level') || 'INFO';
  const needsAttention = !['INFO', 'DEBUG', 'TRACE'].includes(level);
  const details = Object.entries(content)
    .filter(([key]) => !COMMON.includes(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const label = needsAttention ? style.red(level.padEnd(5)) : level.padEnd(5);
  return {
    text: [time, label, textIn(content, 'message'), ...details].join(' ').trimEnd(),
    content,
    needsAttention,
  };
}

function textIn(content: Readonly<Record<string, unknown>>, key: string): string {
  const value = content[key];
  return typeof value === 'string' ? value : '';
}

function parse(message: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(message);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
