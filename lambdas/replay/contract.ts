import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import { API_ALIAS, type StripeFunctionEnvironment, type TilledApiEnvironment } from '../../core/contract';
import { PROVIDER_NAMES } from '../../core/providers/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface ReplayEnvironment extends StripeFunctionEnvironment, TilledApiEnvironment, CacheEnvironment {
  /** Queue of verified events that the processor takes from. */
  readonly QUEUE_URL: string;
  /** Queue of events that failed every attempt. */
  readonly DEAD_LETTER_QUEUE_URL: string;
}

const MAX_EVENT_IDS = 100;
const eventIdsForm = `expected up to ${MAX_EVENT_IDS} event ids`;
const eventsForm = `expected \`failed\` or up to ${MAX_EVENT_IDS} event ids`;

const eventId = z
  .string({ error: 'expected an event id such as evt_123' })
  .regex(/^evt_[A-Za-z0-9_.-]{1,250}$/, 'expected an event id such as evt_123');

const provider = z
  .enum(PROVIDER_NAMES, { error: `expected ${PROVIDER_NAMES.join(' or ')}` })
  .default('stripe')
  .describe('Provider of the events: `stripe`, or `tilled` where it is taken. Default: stripe.');

const messageIdsForm = `expected up to ${MAX_EVENT_IDS} ids of messages, as \`ops webhooks parked\` lists them`;
const messageId = z
  .string({ error: messageIdsForm })
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, messageIdsForm);

const note = (expected: string) =>
  z.string({ error: expected }).trim().min(1, expected).max(500, 'at most 500 characters');

const range = {
  provider,
  from: isoTime.describe(
    'ISO time of the first event, by when the provider made it. Providers list events for 30 days only.',
  ),
  to: isoTime.optional().describe('ISO time that the range ends before. Default: now.'),
  position: z
    .strictObject({
      account: z.string().min(1).max(248).describe('Account in whose list it continues.'),
      offset: z.int().min(0).describe('Events of that list that were looked at.'),
    })
    .optional()
    .describe('Where a range of Tilled continues, as `next` of an answer names it. Default: from the first.'),
};

/** Every action but `gaps` changes something, and does so only when `dryRun` is `false`. */
export const replayRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('gaps').describe('Lists the events of a range that the ledger lacks, or has as failed.'),
    ...range,
  }),
  z.strictObject({
    action: z.literal('replay').describe('Applies the events of a range that the ledger lacks, or has as failed.'),
    ...range,
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('retry')
      .describe(
        'Applies single events, or all that failed, from the ledger; from the provider what the ledger does not keep.',
      ),
    provider,
    events: z
      .union([z.literal('failed'), z.array(eventId).min(1, eventsForm).max(MAX_EVENT_IDS, eventsForm).readonly()], {
        error: eventsForm,
      })
      .describe('Up to 100 event ids, or `failed`: every event that the ledger has as not processed.'),
    after: eventId.optional().describe('With `failed`: continue after this id. Default: from the first.'),
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('dismiss')
      .describe('Closes events that cannot be applied and need not be; they no longer count as failed.'),
    provider,
    events: z
      .array(eventId, { error: eventIdsForm })
      .min(1, eventIdsForm)
      .max(MAX_EVENT_IDS, eventIdsForm)
      .readonly()
      .describe('Up to 100 event ids.'),
    reason: note('expected why the events need not be applied').describe(
      'Why they need not be applied, for the record.',
    ),
    by: note('expected who decided it').describe('Who decided it, for the record.'),
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('check')
      .describe(
        'Asks Stripe whether the key may read what the platform reads, and to which types the endpoints are subscribed.',
      ),
    key: z
      .enum(['current', 'pending'], { error: 'expected current or pending' })
      .default('current')
      .describe('Which version of the secret with the key: the one in use, or one that waits to become current.'),
  }),
  z.strictObject({
    action: z.literal('redrive').describe('Moves what is parked in the dead-letter queue back to the queue.'),
    limit: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe('Messages to move at most. Default: what is parked when it begins.'),
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('discard')
      .describe(
        'Deletes parked messages that hold no event of a known provider, and so can be neither applied nor dismissed.',
      ),
    messages: z
      .array(messageId, { error: messageIdsForm })
      .min(1, messageIdsForm)
      .max(MAX_EVENT_IDS, messageIdsForm)
      .readonly()
      .describe('Ids of up to 100 messages. One that holds an event stays parked.'),
    dryRun,
  }),
]);
export type ReplayRequest = Readonly<z.input<typeof replayRequest>>;
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedReplayRequest = Readonly<z.infer<typeof replayRequest>>;

const eventOutcome = z
  .enum([
    'processed',
    'alreadyProcessed',
    'ignored',
    'failed',
    'deferred',
    'dismissed',
    'wouldApply',
    'wouldDismiss',
    'missing',
    'notFound',
  ])
  .describe(
    '`processed`: applied now. `alreadyProcessed`: applied before, nothing changed. `ignored`: recorded; the platform does not act on it. `failed`: cannot be applied; `error` says why, and so does the ledger. `deferred`: cannot be applied at this moment, such as beside a lock; nothing was stored, try again. `dismissed`: an operator closed it, now or before. `wouldApply`: a dry run applied it and took it back. `wouldDismiss`: it is open, and can be dismissed. `missing`: the provider has it and the ledger does not. `notFound`: neither the ledger nor the provider has it; events are listed for 30 days.',
  );
export type EventOutcomeName = z.infer<typeof eventOutcome>;

const reportedEvent = z.strictObject({
  id: z.string(),
  type: z.string().optional(),
  created: isoTime.optional().describe('ISO time at which the provider made it.'),
  outcome: eventOutcome,
  error: z.string().optional(),
});
export type ReportedEvent = Readonly<z.infer<typeof reportedEvent>>;

const next = replayRequest.optional().describe('The request that continues, when the time was up before the end.');

/** Answer to `gaps`, `replay`, `retry` and `dismiss`. */
export const eventsReport = z.strictObject({
  action: z.enum(['gaps', 'replay', 'retry', 'dismiss']),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  checked: z.int().describe('Events that were looked at.'),
  outcomes: z
    .partialRecord(eventOutcome, z.int())
    .readonly()
    .describe('How many events there were of each outcome; outcomes that did not occur are left out.'),
  events: z.array(reportedEvent).readonly().describe('Those that were not settled before, the first 200.'),
  next,
});
export type EventsReport = Readonly<z.infer<typeof eventsReport>>;

export const redriveReport = z.strictObject({
  action: z.literal('redrive'),
  dryRun: z.boolean().describe('`true` when nothing was moved.'),
  parked: z.int().describe("Messages in the dead-letter queue when it began, by SQS's own estimate."),
  moved: z.int().describe('Messages that were moved back.'),
  next,
});
export type RedriveReport = Readonly<z.infer<typeof redriveReport>>;

const discardedMessage = z.strictObject({
  message: z.string().describe('Its id.'),
  outcome: z
    .enum(['deleted', 'wouldDelete', 'isEvent', 'notFound'])
    .describe('`isEvent`: it holds an event, and stays parked. `notFound`: no such message is parked.'),
  sentAt: isoTime.optional(),
  bytes: z.int().optional().describe('Of its body and attributes.'),
  reason: z.string().optional().describe('Why it holds no event.'),
  event: z.string().optional().describe('The event that it holds.'),
});
export type DiscardedMessage = Readonly<z.infer<typeof discardedMessage>>;

export const discardReport = z.strictObject({
  action: z.literal('discard'),
  dryRun: z.boolean().describe('`true` when nothing was deleted.'),
  messages: z.array(discardedMessage).readonly(),
});
export type DiscardReport = Readonly<z.infer<typeof discardReport>>;

export const checkReport = z.strictObject({
  action: z.literal('check'),
  apiVersion: z.string().describe('Version of the API that the platform asks for.'),
  permissions: z.array(
    z.strictObject({
      name: z.string().describe("As Stripe's dashboard calls it."),
      refusal: z.string().nullable().describe("Stripe's answer; null where the key may read it."),
    }),
  ),
  endpoints: z
    .array(
      z.strictObject({
        url: z.string(),
        enabled: z.boolean(),
        apiVersion: z.string().nullable().describe('Null for the default of the account.'),
        missing: z.array(z.string()).describe('Types that the platform handles and the endpoint is not subscribed to.'),
      }),
    )
    .nullable()
    .describe('Null where the key may not read them.'),
});
export type CheckReport = Readonly<z.infer<typeof checkReport>>;

/** Retries of named events: no range, no redrive, no dismissal, no deletion, and no key of Stripe is looked at. */
const requestOfApi = z.strictObject({
  action: z.literal('retry'),
  provider,
  events: z.array(eventId).min(1).max(MAX_EVENT_IDS),
  dryRun: z.literal(false),
});

/** Finds gaps in what was received, and applies events again. */
export const contract = {
  request: replayRequest,
  report: z.union([eventsReport, redriveReport, discardReport, checkReport]),
  effect: {
    gaps: 'reads',
    replay: 'changes',
    retry: 'changes',
    dismiss: 'changes',
    check: 'reads',
    redrive: 'changes',
    discard: 'changes',
  },
  aliases: { [API_ALIAS]: requestOfApi },
} as const satisfies OperationContract;

/** The contract of the actions on events, without `check` and `discard`. */
export const EVENT_ACTIONS = { ...contract, report: z.union([eventsReport, redriveReport]) } as const;

export const REPLAY_METRICS = {
  /** Events that were applied, and messages that were moved. */
  replayed: 'EventsReplayed',
  /** Events that could not be applied this time either. */
  eventsFailed: 'EventsReplayFailed',
  /** 1 for each invocation that hit an error. */
  failed: 'ReplayFailed',
} as const;
