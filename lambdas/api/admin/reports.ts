import * as z from 'zod';
import type { ApiDependencies } from '../dependencies';

/** What the page reads of the answers of `inspect` and `replay`; their contracts have the rest. */
const text = z.string().nullable();

const eventRow = z.object({
  id: z.string(),
  provider: z.string(),
  type: z.string(),
  status: z.string(),
  attempts: z.int(),
  error: text,
  source: z.string(),
  objectId: text,
  customerId: text,
  subscriptionId: text,
  appId: text,
  occurredAt: z.string(),
  receivedAt: z.string(),
  processedAt: text,
});
export type EventRow = z.infer<typeof eventRow>;

const bitcoinPayment = z.object({
  id: z.string(),
  projectId: text,
  userId: z.string(),
  status: z.string(),
  amount: z.string(),
  received: z.string(),
  firstSeenAt: text,
  changedAt: z.string(),
  transactions: z.array(z.object({ txid: z.string(), state: z.string(), blockHeight: z.int().nullable() })),
});

const REPORTS = {
  status: z.object({
    events: z.object({ failed: z.int(), unfinished: z.int(), newestAt: text }).nullable(),
    queues: z.object({ waiting: z.int(), parked: z.int() }).nullable(),
    problems: z.array(z.string()),
  }),
  activity: z.object({
    at: z.string(),
    hours: z.array(z.object({ hour: z.string(), settled: z.int(), failed: z.int(), open: z.int() })),
    lag: z.object({ p95Seconds: z.number().nullable(), oldestOpenSeconds: z.number().nullable() }),
    providers: z.array(
      z.object({
        provider: z.string(),
        received: z.int(),
        settled: z.int(),
        failed: z.int(),
        parked: z.int(),
        waiting: z.int(),
        p95Seconds: z.number().nullable(),
        oldestOpenSeconds: z.number().nullable(),
        newestAt: text,
      }),
    ),
  }),
  alarms: z.object({
    isEvaluated: z.boolean(),
    alarms: z.array(z.object({ name: z.string(), since: text, reason: z.string(), text: z.string() })).nullable(),
    problem: text,
  }),
  events: z.object({ events: z.array(eventRow), next: text }),
  event: z.object({
    event: eventRow
      .extend({
        apiVersion: text,
        livemode: z.boolean(),
        dismissedBy: text,
        dismissalReason: text,
        changedFields: z.array(z.string()).nullable(),
        objects: z.array(
          z.object({
            kind: z.string(),
            id: z.string(),
            status: text,
            isOfThisEvent: z.boolean(),
            originEvents: z.array(z.string()),
          }),
        ),
        entitlements: z.array(
          z.object({ userId: z.string(), projectId: z.string(), feature: z.string(), validUntil: text }),
        ),
      })
      .nullable(),
  }),
  archives: z.object({
    archives: z.array(
      z.object({
        slot: z.string(),
        finishedAt: z.string(),
        schemaVersion: text,
        tables: z.int(),
        rows: z.int(),
        compressedBytes: z.number(),
        durationMs: z.number(),
        signature: z.string(),
      }),
    ),
    incomplete: z.array(z.string()),
    unreadable: z.array(z.object({ slot: z.string(), problem: z.string() })),
  }),
  drills: z.object({
    drills: z.array(
      z.object({
        startedAt: z.string(),
        outcome: z.string(),
        rows: z.int().nullable(),
        durationMs: z.number().nullable(),
        targetMs: z.number(),
        error: text,
      }),
    ),
  }),
  reconciliations: z.object({
    runs: z.array(
      z.object({
        runId: z.string(),
        status: z.string(),
        dryRun: z.boolean(),
        startedAt: z.string(),
        finishedAt: text,
        eventsMissed: z.int(),
        driftDetected: z.int(),
        corrected: z.int(),
        errors: z.int(),
        error: text,
      }),
    ),
  }),
  findings: z.object({
    runId: text,
    total: z.int(),
    findings: z.array(
      z.object({
        kind: z.string(),
        objectType: z.string(),
        objectId: z.string(),
        field: text,
        localValue: text,
        remoteValue: text,
        corrected: z.boolean(),
      }),
    ),
  }),
  payouts: z.object({
    payouts: z.array(
      z.object({
        id: z.string(),
        account: text,
        status: z.string(),
        amount: z.string(),
        currency: z.string(),
        createdAt: z.string(),
        arrivesAt: text,
        isLate: z.boolean(),
        failureCode: text,
        failureMessage: text,
      }),
    ),
    restrictedAccounts: z.array(z.object({ id: z.string(), cause: text, requirementsDue: z.array(z.string()) })),
    restrictedTotal: z.int(),
    totals: z.object({ underWay: z.int(), late: z.int(), failed: z.int(), paid: z.int() }),
  }),
  bitcoin: z.object({
    chain: z
      .object({ network: z.string(), height: z.int(), blockAt: z.string(), nodeHeight: z.int(), nodeAt: z.string() })
      .nullable(),
    statuses: z.array(z.object({ status: z.string(), payments: z.int() })),
    lastDay: z.object({ settled: z.int(), lost: z.int(), meanMinutes: z.number().nullable() }),
    underWay: z.array(bitcoinPayment),
    lost: z.array(bitcoinPayment),
    projects: z.array(z.object({ projectId: text, payments: z.int(), amount: z.string() })),
    reorganisations: z.array(
      z.object({ noticedAt: z.string(), forkHeight: z.int(), depth: z.int(), transactions: z.int() }),
    ),
  }),
} as const;

type Question = keyof typeof REPORTS;
/** What the page reads of an answer of `inspect`. */
export type Report<Name extends Question> = z.infer<(typeof REPORTS)[Name]>;

/** Asks `inspect`, as `ops` does. @throws what `ask` throws */
export async function inspect<Name extends Question>(
  { ask }: Pick<ApiDependencies, 'ask'>,
  action: Name,
  question: object = {},
): Promise<Report<Name>> {
  return REPORTS[action].parse(await ask('inspect', { action, ...question })) as Report<Name>;
}

/** What the page reads of the report of a retry. */
export const retryReport = z.object({
  checked: z.int(),
  outcomes: z.record(z.string(), z.int()),
  events: z.array(z.object({ id: z.string(), outcome: z.string(), error: z.string().optional() })),
});
