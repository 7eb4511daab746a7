import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { RestoreReport } from '../../lambdas/restore/contract';
import { type Finding, wrong } from '../doctor/finding';
import { CommandError, explain } from '../errors';
import { type CopiedArchive, parseJson } from './copied-archives';
import type { Successor } from './drill-data';
import type { RegionDrill } from './drill-record';
import type { Drill } from './drill-run';
import type { SecondRegion } from './place';

/** Between two looks at a workflow that restores a large archive. */
const POLL_MS = 15_000;
/** Differences from the archived schema that a gap names. */
const NAMED = 3;

type Execution = RegionDrill['executions'][number];

/** What a restore gave, and the gap that it is where the schema is not the archived one. */
export interface RestoredCopy {
  readonly restored: RegionDrill['restored'][number];
  readonly gap: Finding | undefined;
}

/**
 * Restores an archive into a scratch database of the successor's, which proves it, erases who was erased, and drops it again. A
 * workflow that an earlier run started is waited for instead, whichever archive it restores.
 *
 * @throws CommandError what the function or its workflow ends with
 */
export async function restoreCopy(
  drill: Drill,
  successor: Successor,
  archive: CopiedArchive,
  scratch: string,
): Promise<RestoredCopy> {
  const { record } = drill;
  const { database, slot } = archive;
  const begun = record.executions.find((each) => each.database === database);
  if (begun !== undefined) {
    const ended = await resultOf(drill, successor, begun);
    if (ended !== undefined) return ended;
    // Step Functions forgets an execution after 90 days.
    forget(record, begun);
  }
  const report = await invoke(successor, archive, scratch);
  const { outcome, execution: arn = '' } = report;
  if (outcome !== 'started') return copyOf(database, slot, report);
  const execution = { database, archive: slot, arn };
  // On record before it is waited for: another run must neither restore beside it nor remove what it reads.
  record.executions.push(execution);
  await drill.save().catch(async (failure: unknown) => {
    await stop(drill, successor, execution);
    throw failure;
  });
  const ended = await resultOf(drill, successor, execution);
  if (ended !== undefined) return ended;
  throw new CommandError('failed', `Step Functions does not know ${arn} yet: repeat the command`);
}

async function invoke(
  successor: Successor,
  { database, slot, manifestSha256 }: CopiedArchive,
  scratch: string,
): Promise<RestoreReport> {
  const { contract } = await import('../../lambdas/restore/contract');
  const request = { database, archive: slot, manifestSha256, targetDatabase: scratch, afterwards: 'drop' } as const;
  return successor.invoke('restore', contract, request).catch((cause: unknown) => {
    if (!(cause instanceof CommandError && cause.message.includes('(target_exists)'))) throw cause;
    const advice = `An earlier run of this drill ended before it was dropped. On the server of ${database}: DROP DATABASE ${scratch}`;
    throw new CommandError(cause.exit, `${advice}; then repeat the command`, { cause });
  });
}

/** What the proof of a restore in parts says, at the end of its workflow. */
const proof = z.object({
  tables: z.int(),
  rows: z.int(),
  rowsErased: z.int(),
  deviations: z.array(z.object({ object: z.string() })),
  schemaDifferences: z.array(z.string()),
});

type Proof = Pick<RestoreReport, 'tables' | 'rows' | 'rowsErased' | 'schemaDifferences' | 'durationMs'> & {
  readonly deviations: readonly { readonly object: string }[];
};

function copyOf(
  database: CopiedArchive['database'],
  archive: string,
  { tables, rows, rowsErased, durationMs, deviations, schemaDifferences }: Proof,
): RestoredCopy {
  const differences = [...deviations.map(({ object }) => object), ...schemaDifferences];
  const more = differences.length > NAMED ? `, and ${differences.length - NAMED} more` : '';
  return {
    restored: { database, archive, tables, rows, rowsErased, durationMs },
    gap:
      differences.length === 0
        ? undefined
        : wrong(
            `schema of ${database}`,
            `restored without, or otherwise than archived: ${differences.slice(0, NAMED).join(', ')}${more}`,
            'docs/runbook.md#restore-drill-findings says how to find the cause',
          ),
  };
}

/**
 * Waits for the workflow of a large archive, whose answer at the beginning proves nothing.
 *
 * @returns `undefined` for an execution that Step Functions does not know
 */
async function resultOf(
  { context: { note, signal }, record }: Drill,
  { name, clients }: Successor,
  execution: Execution,
): Promise<RestoredCopy | undefined> {
  const { database, archive, arn } = execution;
  note(`${database} is restored in parts by ${arn}`);
  for (;;) {
    const seen = await describe(clients, execution, name);
    if (seen === undefined) return undefined;
    const { status, startDate, stopDate, cause, output } = seen;
    if (status !== 'RUNNING') forget(record, execution);
    if (status === 'SUCCEEDED') {
      const durationMs = (stopDate?.getTime() ?? 0) - (startDate?.getTime() ?? 0);
      return copyOf(database, archive, { ...proofIn(output, execution, name), durationMs });
    }
    if (status !== 'RUNNING') {
      throw new CommandError(
        'failed',
        `The restore of ${database} ended as ${status}${cause === undefined ? '' : `: ${cause}`}. ops runs --env ${name} says at which step; the same command restores again`,
      );
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** @throws CommandError `failed` for what another version of the workflow ends with */
function proofIn(output: string | undefined, { database, arn }: Execution, environment: string): z.infer<typeof proof> {
  const read = proof.safeParse(parseJson(Buffer.from(output ?? '')));
  if (read.success) return read.data;
  throw new CommandError(
    'failed',
    `${arn} restored ${database} and reported it in another form (${read.error.issues[0]?.path.join('.')}): deploy ${environment} from this checkout, then repeat the command`,
    { cause: read.error },
  );
}

/** Stops a workflow that is on no record, so that no other run would wait for it. One that is stopped is not put on it later either. */
async function stop({ context, record }: Drill, { clients }: Successor, execution: Execution): Promise<void> {
  const { database, arn } = execution;
  const { StopExecutionCommand } = await import('@aws-sdk/client-sfn');
  const client = await clients.stepFunctions();
  const cause = 'It could not be put on the record of the drill that started it';
  try {
    await client.send(new StopExecutionCommand({ executionArn: arn, error: 'Aborted', cause }));
    forget(record, execution);
    context.note(`Stopped ${arn}, which was restoring ${database}`);
  } catch (error) {
    const { message } = explain(error, `stop ${arn}`, 'the second region');
    context.note(`${message}. Stop it: aws stepfunctions stop-execution --execution-arn ${arn}`);
  }
}

/** @throws CommandError `refused` while a workflow reads what the drill copied */
export async function assertNothingRestores(place: SecondRegion, { executions, into }: RegionDrill): Promise<void> {
  for (const execution of executions) {
    const seen = await describe(place.clients, execution, into);
    if (seen?.status !== 'RUNNING') continue;
    const { database, arn } = execution;
    throw new CommandError(
      'refused',
      `${database} is being restored by ${arn}, which reads what the drill copied: wait for its end, or stop it, then repeat the command`,
    );
  }
}

async function describe(clients: Successor['clients'], { arn: executionArn }: Execution, environment: string) {
  const { DescribeExecutionCommand } = await import('@aws-sdk/client-sfn');
  const client = await clients.stepFunctions();
  try {
    return await client.send(new DescribeExecutionCommand({ executionArn }));
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ExecutionDoesNotExist') return undefined;
    throw explain(cause, `look at ${executionArn}`, environment);
  }
}

function forget(record: RegionDrill, execution: Execution): void {
  record.executions = record.executions.filter((each) => each !== execution);
}
