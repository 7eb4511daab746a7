import * as z from 'zod';
import { PROVIDER_NAMES } from '../../../core/providers/contract';
import { isoTime } from '../../../core/runtime/contract';

const daysForm = 'expected a whole number of days from 1 to 30';
const count = z.int();

/** What became of the events of each hour. */
export const activity = {
  request: z.strictObject({
    action: z.literal('activity').describe("Counts events by hour and what became of them, without the canary's."),
    days: z.int(daysForm).min(1, daysForm).max(30, daysForm).default(7).describe('Days to look back. Default: 7.'),
  }),
  report: z.strictObject({
    action: z.literal('activity'),
    at: isoTime,
    hours: z
      .array(
        z.strictObject({
          hour: isoTime.describe('ISO time at which the hour began, in UTC.'),
          settled: count.describe('Events that were applied, or recorded where there is nothing to apply.'),
          failed: count.describe('Events that could not be applied so far.'),
          open: count.describe('Events that were received and not yet applied.'),
        }),
      )
      .describe('By when the provider made the events, the oldest hour first; hours without events are left out.'),
    lag: z.strictObject({
      p95Seconds: z
        .number()
        .nullable()
        .describe('From receipt until it was applied, 95th percentile of the last hour; null where there was none.'),
      oldestOpenSeconds: z.number().nullable().describe('Age of the oldest event that waits; null for none.'),
    }),
    providers: z
      .array(
        z.strictObject({
          provider: z.enum(PROVIDER_NAMES),
          received: count.describe('Events of the last 24 hours, by when the provider made them.'),
          settled: count.describe('Of these, those that were applied, or recorded where there is nothing to apply.'),
          failed: count.describe('Events that could not be applied so far, of any age.'),
          parked: count.describe('Of these, those that failed every attempt, so that only a retry applies them.'),
          waiting: count.describe('Events that were received and not yet applied, of any age.'),
          p95Seconds: z.number().nullable().describe('As in `lag`.'),
          oldestOpenSeconds: z.number().nullable().describe('As in `lag`.'),
          newestAt: isoTime.nullable().describe('ISO time at which the newest of the last 24 hours was received.'),
        }),
      )
      .describe('Every provider, also one that sent nothing.'),
  }),
};

/** Raised alarms. */
export const alarms = {
  request: z.strictObject({
    action: z.literal('alarms').describe('Lists the alarms of the environment that are raised.'),
  }),
  report: z.strictObject({
    action: z.literal('alarms'),
    isEvaluated: z.boolean().describe('`false` where nothing evaluates alarms, as on the local platform.'),
    alarms: z
      .array(
        z.strictObject({
          name: z.string(),
          since: isoTime.nullable(),
          reason: z.string(),
          text: z.string().describe('What is wrong, what to do, and links.'),
        }),
      )
      .nullable()
      .describe('Null where they could not be looked up.'),
    problem: z.string().nullable().describe('Why they could not be looked up.'),
  }),
};

/** What to ask DescribeAlarms for: without it, CloudWatch leaves out composite alarms, by which most critical ones page. */
export const ALARM_TYPES = ['MetricAlarm', 'CompositeAlarm'] as const;

/** The fields of an alarm in an answer of DescribeAlarms that are read. */
interface DescribedAlarm {
  readonly AlarmName?: string | undefined;
  readonly AlarmDescription?: string | undefined;
  readonly AlarmActions?: readonly string[] | undefined;
  readonly StateValue?: string | undefined;
  readonly StateReason?: string | undefined;
  readonly StateTransitionedTimestamp?: Date | undefined;
  readonly StateUpdatedTimestamp?: Date | undefined;
  /** Of composite alarms alone: present while another alarm keeps this one from notifying. */
  readonly ActionsSuppressedBy?: string | undefined;
  readonly ActionsSuppressedReason?: string | undefined;
}

export interface NotifyingAlarm {
  readonly name: string;
  readonly state: string;
  /** Its actions are suppressed at present: its cause has paged, or it comes and goes. */
  readonly isSilent: boolean;
  /** ISO time at which it came into this state. */
  readonly since: string | null;
  readonly reason: string;
  /** What is wrong, what to do, and links. */
  readonly text: string;
}

/**
 * The alarms of a page of DescribeAlarms that notify a topic, under the names that its messages have. An alarm without actions
 * only decides whether others page, or pages by the composite alarm of its name, which is raised with it.
 */
export function notifyingAlarms(page: {
  readonly MetricAlarms?: readonly DescribedAlarm[] | undefined;
  readonly CompositeAlarms?: readonly DescribedAlarm[] | undefined;
}): NotifyingAlarm[] {
  return [...(page.MetricAlarms ?? []), ...(page.CompositeAlarms ?? [])]
    .filter(({ AlarmActions = [] }) => AlarmActions.length > 0)
    .map((alarm) => ({
      name: alarm.AlarmName ?? '',
      state: alarm.StateValue ?? '',
      isSilent: alarm.ActionsSuppressedBy !== undefined,
      // The other time moves while the state stays.
      since: (alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp)?.toISOString() ?? null,
      reason: [alarm.StateReason, alarm.ActionsSuppressedReason].filter(Boolean).join(' '),
      text: alarm.AlarmDescription ?? '',
    }));
}
