import * as z from 'zod';

const moment = z.iso
  .datetime({ offset: true, error: 'expected ISO 8601 with a time zone, such as 2026-11-21T06:00:00Z' })
  .transform((text) => new Date(text));
/** Dry unless told otherwise: who asks for the first time wants to see what would happen. */
const dryRun = z.boolean({ error: 'expected true or false' }).default(true);
const eventId = z
  .string({ error: 'expected an event id such as evt_123' })
  .regex(/^evt_[A-Za-z0-9_]{1,250}$/, 'expected an event id such as evt_123');

const MAX_EVENT_IDS = 100;
const eventsForm = `expected \`failed\` or up to ${MAX_EVENT_IDS} event ids`;

/** What the function may be asked; see {@link ReplayRequest}. */
export const replayRequest = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ action: z.literal('gaps'), from: moment, to: moment.optional() }),
    z.strictObject({ action: z.literal('replay'), from: moment, to: moment.optional(), dryRun }),
    z.strictObject({
      action: z.literal('retry'),
      events: z.union([z.literal('failed'), z.array(eventId).min(1, eventsForm).max(MAX_EVENT_IDS, eventsForm)], {
        error: eventsForm,
      }),
      after: eventId.optional(),
      dryRun,
    }),
    z.strictObject({
      action: z.literal('redrive'),
      limit: z.int({ error: 'expected a whole number' }).min(1).max(100_000).optional(),
      dryRun,
    }),
  ],
  { error: 'expected an action: `gaps`, `replay`, `retry` or `redrive`' },
);

/** A request whose form was checked. */
export type CheckedRequest = z.infer<typeof replayRequest>;
