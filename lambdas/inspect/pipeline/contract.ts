import * as z from 'zod';
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
  }),
};

/** Raised alarms. */
export const alarms = {
  request: z.strictObject({
    action: z.literal('alarms').describe('Lists the alarms of the environment that are raised.'),
  }),
  report: z.strictObject({
    action: z.literal('alarms'),
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
