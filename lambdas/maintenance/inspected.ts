import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';

/** Asks the function `inspect`. It throws when there is no answer. */
export type Ask = (question: Readonly<Record<string, unknown>>) => Promise<unknown>;

const time = z.string().nullable();

/** What the report reads of the state of the platform. */
export const platformStatus = z.object({
  databases: z.array(
    z.object({
      database: z.string(),
      newestArchive: time,
      archiveLimitSeconds: z.number(),
    }),
  ),
  events: z.object({ failed: z.number(), unfinished: z.number(), lastHour: z.number() }).nullable(),
  queues: z.object({ waiting: z.number(), parked: z.number() }).nullable(),
  reconciliation: z.object({ completeAt: time }).nullable(),
  secrets: z.array(z.object({ secret: z.string(), changedAt: time })),
  problems: z.array(z.string()),
});
export type PlatformStatus = z.infer<typeof platformStatus>;

export const drillList = z.object({
  drills: z.array(
    z.object({
      startedAt: z.string(),
      outcome: z.string(),
      durationMs: z.number().nullable(),
      targetMs: z.number(),
      /** Of a drill that passed or was slow, what it did not restore as archived. */
      error: z.string().nullable(),
    }),
  ),
});
export type Drill = z.infer<typeof drillList>['drills'][number];

export const runList = z.object({
  runs: z.array(
    z.object({
      startedAt: z.string(),
      status: z.string(),
      dryRun: z.boolean(),
      eventsMissed: z.number(),
      driftDetected: z.number(),
    }),
  ),
});
export type ReconciliationRun = z.infer<typeof runList>['runs'][number];

/** Asks over Lambda, and waits for the answer. */
export function askInspect(lambda: LambdaClient, functionName: string): Ask {
  return async (question) => {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(question) }),
    );
    const text = Payload?.transformToString() ?? '';
    if (FunctionError !== undefined) throw new Error(`${functionName} answered ${text.slice(0, 200)}`);
    return JSON.parse(text);
  };
}
