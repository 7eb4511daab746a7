import { randomUUID } from 'node:crypto';
import { Cron } from 'croner';
import type { ScheduleDefinition } from '../template/platform-template';

/** Runs the template's schedules, as EventBridge Scheduler does. */
export interface Scheduler {
  /** The next start of each enabled schedule, soonest first. */
  upcoming(): { readonly schedule: ScheduleDefinition; readonly at: Date }[];
  stop(): void;
}

export interface SchedulerOptions {
  readonly schedules: readonly ScheduleDefinition[];
  readonly invoke: (functionArn: string, input: unknown) => Promise<unknown>;
  /** Receives the outcome of each scheduled start. @default - none */
  readonly observe?: (outcome: ScheduleOutcome) => void;
}

/** How a scheduled start ended. */
export interface ScheduleOutcome {
  readonly schedule: ScheduleDefinition;
  /** Undefined when the function answered. */
  readonly error: Error | undefined;
  readonly durationMs: number;
}

/** Computes the first start after a moment; undefined when there is none. */
type NextStart = (after: Date) => Date | undefined;

const MS_PER_UNIT: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The longest that a Node timer waits; longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Understands `cron(…)` and `rate(…)` of EventBridge Scheduler. A rate counts from `origin`.
 *
 * @throws when the expression is of another kind or malformed
 */
export function parseExpression(expression: string, timeZone: string, origin: Date): NextStart {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (rate !== null) {
    const period = Number(rate[1]) * (MS_PER_UNIT[rate[2] ?? ''] ?? Number.NaN);
    if (period === 0) throw new Error(`Schedule expression ${expression}: a rate is at least 1.`);
    return (after) => {
      const elapsed = Math.floor((after.getTime() - origin.getTime()) / period);
      return new Date(origin.getTime() + (elapsed + 1) * period);
    };
  }
  const fields = /^cron\(([^)]+)\)$/.exec(expression)?.[1]?.trim().split(/\s+/);
  if (fields?.length !== 6) {
    throw new Error(`Schedule expression ${expression}: expected rate(<n> minutes|hours|days) or cron(<6 fields>).`);
  }
  // AWS's fields are minute, hour, day, month, weekday, year, and count weekdays from Sunday = 1.
  const cron = new Cron(`0 ${fields.join(' ')}`, {
    mode: '7-part',
    timezone: timeZone === 'Etc/UTC' ? 'UTC' : timeZone,
    alternativeWeekdays: true,
    paused: true,
  });
  return (after) => cron.nextRun(after) ?? undefined;
}

/** Fills in the context attributes that EventBridge Scheduler offers. */
export function fillIn(input: string, { name }: ScheduleDefinition, at: Date): unknown {
  const attributes: Readonly<Record<string, string>> = {
    'scheduled-time': at.toISOString().replace('.000Z', 'Z'),
    'schedule-arn': `arn:aws:scheduler:::schedule/default/${name}`,
    'execution-id': randomUUID(),
    'attempt-number': '1',
  };
  return JSON.parse(input.replace(/<aws\.scheduler\.([\w-]+)>/g, (text, key: string) => attributes[key] ?? text));
}

/** Starts the clock. A start that was due while the machine slept is made once, as soon as it wakes. */
export function startScheduler({ schedules, invoke, observe }: SchedulerOptions): Scheduler {
  const origin = new Date();
  const running = schedules
    .filter(({ enabled }) => enabled)
    .map((schedule) => {
      const next = parseExpression(schedule.expression, schedule.timeZone, origin);
      return { schedule, next, at: next(origin), timer: undefined as NodeJS.Timeout | undefined };
    });

  const start = async (schedule: ScheduleDefinition, at: Date): Promise<void> => {
    const started = performance.now();
    const ended = (error?: Error): void => observe?.({ schedule, error, durationMs: performance.now() - started });
    try {
      await invoke(schedule.functionArn, fillIn(schedule.input, schedule, at));
      ended();
    } catch (error) {
      ended(error as Error);
    }
  };
  const arm = (entry: (typeof running)[number]): void => {
    if (entry.at === undefined) return;
    const due = entry.at;
    entry.timer = setTimeout(
      () => {
        if (Date.now() >= due.getTime()) {
          void start(entry.schedule, due);
          entry.at = entry.next(new Date());
        }
        arm(entry);
      },
      Math.min(MAX_TIMER_MS, Math.max(0, due.getTime() - Date.now())),
    );
  };
  for (const entry of running) arm(entry);

  return {
    upcoming: () =>
      running
        .flatMap(({ schedule, at }) => (at === undefined ? [] : [{ schedule, at }]))
        .toSorted((a, b) => a.at.getTime() - b.at.getTime()),
    stop() {
      for (const { timer } of running) clearTimeout(timer);
    },
  };
}
