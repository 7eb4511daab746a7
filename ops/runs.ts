import { DATABASE_NAMES } from '../core/contract';
import { drillOutcome, recordedFindings } from '../core/restore/contract';
import type { Context } from './context';
import { CommandError } from './errors';
import { inspect } from './inspect';
import { listRecoveries, type Question, type WorkflowKind } from './recovery';

/** Work that takes long, as what it leaves behind shows it. */
export interface Run {
  /** `reconciliation:12`, `backup:billing:2026-11-21T06:00:00Z`, … */
  readonly id: string;
  readonly kind: 'backup' | 'drill' | 'reconciliation' | 'recovery' | 'rows' | 'archive' | 'restore' | 'instance-drill';
  readonly state: 'running' | 'waits' | 'done' | 'failed';
  readonly startedAt: string;
  readonly detail: string;
}

/** Archives and drills of each database that are looked at. */
const LOOKED_AT = 20;
/** Longer than the longest backup: Lambda's limit, and that of an export. */
const BACKUP_HOURS = 6;

const WORKFLOW_KINDS = ['recovery', 'rows', 'archive', 'restore', 'instance-drill'] as const satisfies WorkflowKind[];

/** What lists the runs of each kind, by the beginning of their ids. */
function sourcesOf(context: Context): (readonly [prefix: string, list: () => Promise<Run[]>])[] {
  return [
    ['reconciliation:', () => reconciliations(context)],
    ...DATABASE_NAMES.flatMap((database) => [
      [`backup:${database}:`, () => backupsOf(context, database)] as const,
      [`drill:${database}:`, () => drillsOf(context, database)] as const,
      ...WORKFLOW_KINDS.map((kind) => [`${kind}:${database}:`, () => workflowsOf(context, database, kind)] as const),
    ]),
  ];
}

/** The runs of every kind, the newest first. */
export async function listRuns(context: Context): Promise<Run[]> {
  const runs: Run[] = [];
  // One after the other: the function that answers runs a few times at once at most, for all operators.
  for (const [, list] of sourcesOf(context)) runs.push(...(await list()));
  return runs.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
}

/** Asks for the runs of the kind and database of that one, alone. @throws CommandError `refused` when there is no such run */
export async function findRun(context: Context, id: string): Promise<Run> {
  const [, list] = sourcesOf(context).find(([prefix]) => id.startsWith(prefix)) ?? [];
  const run = (await list?.())?.find((candidate) => candidate.id === id);
  if (run !== undefined) return run;
  throw new CommandError('refused', `There is no run ${id} among the newest. Those there are: ops runs`);
}

async function reconciliations(context: Context): Promise<Run[]> {
  const { runs } = await inspect(context, 'reconciliations', { limit: LOOKED_AT });
  return runs.map(({ runId, status, startedAt, eventsMissed, driftDetected, corrected, errors, error, dryRun }) => ({
    id: `reconciliation:${runId}`,
    kind: 'reconciliation',
    state: status === 'running' || status === 'interrupted' ? 'running' : status === 'complete' ? 'done' : 'failed',
    startedAt,
    detail: `${dryRun ? 'dry, ' : ''}${eventsMissed} missed, ${driftDetected} differ, ${corrected} corrected, ${errors} errors${error === null ? '' : `: ${error}`}`,
  }));
}

async function backupsOf(context: Context, database: (typeof DATABASE_NAMES)[number]): Promise<Run[]> {
  const { archives, incomplete } = await inspect(context, 'archives', { database, limit: LOOKED_AT });
  const id = (slot: string): string => `backup:${database}:${slot}`;
  return [
    ...incomplete.map((slot): Run => {
      const isOld = context.now().getTime() - Date.parse(slot) > BACKUP_HOURS * 3_600_000;
      const detail = isOld ? 'ended without a manifest: no backup' : 'no manifest yet';
      return { id: id(slot), kind: 'backup', state: isOld ? 'failed' : 'running', startedAt: slot, detail };
    }),
    ...archives.map(({ slot, rows, tables }): Run => ({
      id: id(slot),
      kind: 'backup',
      state: 'done',
      startedAt: slot,
      detail: `${tables} tables, ${rows.toLocaleString('en')} rows`,
    })),
  ];
}

async function drillsOf(context: Context, database: (typeof DATABASE_NAMES)[number]): Promise<Run[]> {
  const { drills } = await inspect(context, 'drills', { database, limit: LOOKED_AT });
  return drills.map((drill) => {
    const { startedAt, outcome, error } = drill;
    const findings = recordedFindings(drill);
    return {
      id: `drill:${database}:${startedAt}`,
      kind: 'drill',
      state: outcome === 'passed' ? 'done' : 'failed',
      startedAt,
      detail: findings === null ? (error ?? outcome) : `${drillOutcome(outcome, findings)}: ${findings}`,
    };
  });
}

/** None where the environment has no workflow. */
async function workflowsOf(
  context: Context,
  database: (typeof DATABASE_NAMES)[number],
  kind: WorkflowKind,
): Promise<Run[]> {
  try {
    const found = await listRecoveries(context, database, kind);
    return found.map(({ arn, status, startedAt, state, cause, question }) => ({
      id: workflowRunId(kind, database, arn),
      kind,
      state:
        question !== null ? 'waits' : status === 'RUNNING' ? 'running' : status === 'SUCCEEDED' ? 'done' : 'failed',
      startedAt,
      detail:
        question === null
          ? `${status.toLowerCase()}, at ${state ?? 'its start'}${cause === null ? '' : `: ${cause}`}`
          : waiting(kind, database, question),
    }));
  } catch (error) {
    if (error instanceof CommandError && error.exit === 'refused') return [];
    throw error;
  }
}

/** Id of a run of a workflow, by which it is followed. */
export function workflowRunId(kind: WorkflowKind, database: (typeof DATABASE_NAMES)[number], arn: string): string {
  return `${kind}:${database}:${arn.split(':').at(-1) ?? ''}`;
}

function waiting(kind: WorkflowKind, database: (typeof DATABASE_NAMES)[number], { detail }: Question): string {
  if (kind === 'recovery') return `ops recover status ${database}`;
  const { reportId, deleted, changed } = detail;
  return `report ${String(reportId)}: ${String(deleted)} gone, ${String(changed)} changed; ends by ops rows done ${database}`;
}
