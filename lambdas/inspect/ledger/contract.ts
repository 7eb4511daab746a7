import * as z from 'zod';
import { ownId } from '../../../core/billing/contract';
import { currencyFigures, subscriptionFigures } from '../../../core/entitlements/contract';
import { isoTime } from '../../../core/runtime/contract';
import { limit } from '../database/contract';

const EVENT_STATUSES = ['received', 'processing', 'processed', 'ignored', 'failed', 'dismissed'] as const;

const idForm = 'expected an id of 1 to 255 characters, none of them a control character';
const cursorForm = 'expected `next` of an earlier answer';

const eventRow = z.strictObject({
  id: z.string(),
  provider: z.string(),
  type: z.string(),
  status: z.enum(EVENT_STATUSES),
  attempts: z.int(),
  error: z.string().nullable(),
  source: z.string().describe('`webhook`, or what found an event that was never delivered.'),
  apiVersion: z.string().nullable(),
  objectId: z.string().nullable().describe('Id of the object that it is about.'),
  customerId: z.string().nullable().describe('Customer that the object names; null for none.'),
  subscriptionId: z.string().nullable().describe('Subscription that the object is or names; null for none.'),
  appId: z.string().nullable().describe("`app_id` of the object's metadata, or of its subscription; null for none."),
  occurredAt: isoTime.describe('ISO time at which the provider made it.'),
  receivedAt: isoTime,
  processedAt: isoTime.nullable(),
});

/** Events of the ledger. */
export const events = {
  request: z.strictObject({
    action: z
      .literal('events')
      .describe("Lists events of the ledger, the newest first; the canary's only where the type is asked for."),
    status: z.enum(EVENT_STATUSES).optional().describe('Only events of this status. Default: all.'),
    type: z.string().min(1).optional().describe('Only events of this type, such as `invoice.paid`. Default: all.'),
    since: isoTime.optional().describe('Only events that were received from this ISO time on. Default: all.'),
    about: z
      .string({ error: idForm })
      .min(1, idForm)
      .max(255, idForm)
      .regex(/^\P{Cc}+$/u, idForm)
      .optional()
      .describe(
        'Only events of this id, or about this object, customer or subscription; those of Tilled also without `tilled:`. Default: all.',
      ),
    before: z
      .string({ error: cursorForm })
      .regex(/^\d{1,17}\.[!-~]{1,255}$/, cursorForm)
      .optional()
      .describe('`next` of an earlier answer: events that come after those. Default: from the newest.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('events'),
    events: z.array(eventRow),
    next: z
      .string()
      .nullable()
      .describe(
        'Where to continue: `before` of the next request. Null at the oldest. With `about`, `type`, `since`, or the status `processed`, `ignored` or `dismissed`, one request looks through 20,000 events, so that an answer may have few, or none, before the end.',
      ),
  }),
};

/** One event of the ledger. */
export const event = {
  request: z.strictObject({
    action: z.literal('event').describe('Answers all that the ledger has of an event.'),
    id: z.string().min(1).describe('Id of the event.'),
    payload: z
      .boolean()
      .default(false)
      .describe('With what was delivered, which holds personal data. Default: without.'),
  }),
  report: z.strictObject({
    action: z.literal('event'),
    event: eventRow
      .extend({
        livemode: z.boolean(),
        dismissedBy: z.string().nullable(),
        dismissalReason: z.string().nullable(),
        changedFields: z
          .array(z.string())
          .nullable()
          .describe('Fields of the object that the provider says it changed; null where it does not say.'),
        objects: z
          .array(
            z.strictObject({
              kind: z.string().describe('Kind of the object, such as `subscription`.'),
              id: z.string(),
              status: z.string().nullable(),
              isOfThisEvent: z.boolean().describe('Whether the stored state is the one that this event brought.'),
              originEvents: z
                .array(z.string())
                .describe('Events that the stored state came from; none for a snapshot that was fetched.'),
            }),
          )
          .describe('What is stored of its object now; none where the event stored nothing.'),
        entitlements: z
          .array(
            z.strictObject({
              userId: z.string(),
              projectId: z.string().describe('Empty for none.'),
              feature: z.string(),
              validUntil: isoTime.nullable(),
            }),
          )
          .describe('What its object grants now, the first 50.'),
        payload: z.unknown().describe('As delivered; null unless asked for.'),
      })
      .nullable()
      .describe('Null when the ledger has no event of the id.'),
  }),
};

/** Runs of reconciliation. */
export const reconciliations = {
  request: z.strictObject({
    action: z.literal('reconciliations').describe('Lists the reconciliations, the newest first.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('reconciliations'),
    runs: z.array(
      z.strictObject({
        runId: z.string(),
        status: z.string().describe('`running`, `interrupted`, `complete` or `failed`.'),
        dryRun: z.boolean(),
        startedAt: isoTime,
        finishedAt: isoTime.nullable(),
        eventsMissed: z.int(),
        driftDetected: z.int(),
        corrected: z.int(),
        errors: z.int(),
        error: z.string().nullable(),
      }),
    ),
  }),
};

/** What a run of reconciliation found. */
export const findings = {
  request: z.strictObject({
    action: z.literal('findings').describe('Lists what a reconciliation found to differ from the provider.'),
    runId: z
      .string()
      .regex(/^\d{1,18}$/, 'expected the id of a run')
      .optional()
      .describe('Id of the run. Default: the last one that was no dry run.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('findings'),
    runId: z.string().nullable().describe('Null when there is no such run.'),
    total: z.int().describe('All findings of the run, also those beyond the limit.'),
    findings: z.array(
      z.strictObject({
        kind: z.string(),
        objectType: z.string(),
        objectId: z.string(),
        field: z.string().nullable(),
        localValue: z.string().nullable(),
        remoteValue: z.string().nullable(),
        corrected: z.boolean(),
      }),
    ),
  }),
};

const PAYOUT_STATUSES = ['pending', 'in_transit', 'paid', 'failed', 'canceled'] as const;

/** Payouts to connected accounts. */
export const payouts = {
  request: z.strictObject({
    action: z
      .literal('payouts')
      .describe(
        'Lists payouts to the banks of connected accounts, the newest first, and the accounts that are restricted.',
      ),
    status: z.enum(PAYOUT_STATUSES).optional().describe('Only payouts of this status. Default: all.'),
    account: z.string().min(1).optional().describe('Only payouts of this connected account. Default: all.'),
    id: z.string().min(1).optional().describe('Only this payout. Default: all.'),
    open: z
      .boolean()
      .default(false)
      .describe('Only payouts that failed and nothing replaced, and late ones. Default: all.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('payouts'),
    payouts: z.array(
      z.strictObject({
        id: z.string(),
        account: z.string().nullable().describe("Connected account that is paid; null for the platform's own."),
        status: z.string(),
        amount: z
          .string()
          .describe('In the smallest unit of the currency; negative where the bank account is debited.'),
        currency: z.string(),
        createdAt: isoTime,
        arrivesAt: isoTime.nullable().describe('Null where the provider names no day.'),
        isLate: z.boolean().describe('Under way past its arrival date.'),
        failureCode: z.string().nullable(),
        failureMessage: z.string().nullable(),
        isOpen: z.boolean().describe('Failed, and no later payout replaced it.'),
        retryOf: z.string().nullable().describe('The failed payout that it repeats.'),
        retriedBy: z.string().nullable().describe('The payout that repeats it.'),
      }),
    ),
    restrictedAccounts: z.array(
      z.strictObject({
        id: z.string(),
        cause: z.string().nullable(),
        requirementsDue: z.array(z.string()).describe('What its owner has to give Stripe.'),
      }),
    ),
    restrictedTotal: z.int().describe('All restricted accounts, also those beyond the limit.'),
    totals: z
      .strictObject({
        underWay: z.int().describe('Payouts that are to arrive, late ones included.'),
        late: z.int().describe('Of these, those past their arrival date.'),
        failed: z.int().describe('Payouts that failed and nothing replaced.'),
        paid: z.int().describe('Payouts that were made in the last 24 hours and are paid.'),
      })
      .describe('Of all payouts, whatever is listed.'),
  }),
};

/** What a project earns. */
export const figures = {
  request: z.strictObject({
    action: z
      .literal('figures')
      .describe('Says what a project took in, by currency, and how many subscriptions it has.'),
    projectId: ownId('a project').describe('Id of the project.'),
    from: isoTime.optional().describe('First moment. Default: 30 days before `to`.'),
    to: isoTime.optional().describe('Moment that the range ends before, at most 366 days later. Default: now.'),
  }),
  report: z.strictObject({
    action: z.literal('figures'),
    projectId: z.string(),
    from: isoTime,
    to: isoTime,
    subscriptions: subscriptionFigures,
    currencies: z.array(currencyFigures).describe('Amounts of different currencies are not added.'),
  }),
};
