import type { Severity } from '../../../../lib/config/alarms/alarm-definition';
import type { Emitter } from '../cloudwatch/samples';
import { every } from './published';

/** The fault that an alarm is for. */
export interface Failure {
  /** Last part of the alarm's name. */
  readonly alarm: string;
  /** The fault, in words. */
  readonly fault: string;
  /** What is published instead, from minute 0 on. */
  readonly published: Readonly<Record<string, Emitter>>;
  /** Minutes within which the alarm has to be raised. */
  readonly within: number;
}

/** In seconds. */
export const HOUR = 3_600;
export const DAY = 24 * HOUR;

/** Once, in the minute after the beginning. */
export const once =
  (value = 1): Emitter =>
  (minute) =>
    minute === 1 ? { value } : undefined;
/** Each minute. */
export const each = (value: number, count?: number): Emitter => every(1, value, count);
/** At each run of what measures every five minutes. */
export const run = (value: number): Emitter => every(5, value);

/** A fault with a size for each severity. */
export function pair(
  name: string,
  fault: string,
  sizes: Readonly<Record<Severity, number>>,
  within: number | Readonly<Record<Severity, number>>,
  published: (size: number) => Readonly<Record<string, Emitter>>,
): Failure[] {
  return (['warning', 'critical'] as const).map((severity) => ({
    alarm: `${name}-${severity}`,
    fault: fault.replace('…', String(sizes[severity])),
    within: typeof within === 'number' ? within : within[severity],
    published: published(sizes[severity]),
  }));
}

/** A fault of an alarm with one severity. */
export function single(alarm: string, fault: string, within: number, key: string, emit: Emitter): Failure {
  return { alarm, fault, within, published: { [key]: emit } };
}
