import { functionName } from '../../core/contract';
import { callerName } from '../audit';
import type { Context } from '../context';
import { CommandError, explain } from '../errors';
import { duration, span } from '../print/units';
import { type CheckOptions, checkSecondRegion } from './check';
import type { CopiedArchive } from './copied-archives';
import {
  assertUnused,
  copyObjects,
  findSuccessor,
  prefixesOf,
  putErasureKey,
  restoreCopy,
  type Successor,
} from './drill-data';
import { takeBack, usedSince } from './drill-clean-up';
import { newestRecord, recordKey, type RegionDrill, writeRecord } from './drill-record';
import type { SecondRegion } from './place';

/** Checks without which no restore there can be tried. */
const NEEDED = /^(?:archive of|signature of|ledger of erasures$|secret ErasureKeySecret$)/;
/** States of a stack that is there as it was deployed, or as it was before an update that failed. */
const SETTLED = /^(?:CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK)_COMPLETE$/;
/** States that no stack leaves by itself. */
const FAILED = /_FAILED$|^ROLLBACK_COMPLETE$|^DELETE_COMPLETE$/;
const STACKS = ['Data', 'Operations', 'Monitoring'];
/** Between two looks at the stacks: longer and longer. */
const FIRST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 15_000;
/** Minutes of the steps of docs/region-loss.md that a drill does not take, estimated as there. */
const ESTIMATED_MINUTES = {
  decide: 10,
  'put in place and verify': 5,
  'endpoint of Stripe': 10,
  'replay and reconcile': 5,
  'DNS and applications': 20,
};
/** Of a deployment that the drill did not see. */
const DEPLOY_MINUTES = 50;

export interface DrillOptions extends CheckOptions {
  /** Environment in the second region to restore into. */
  readonly into: string;
  /** Its name, as typed ahead. */
  readonly confirm: string | undefined;
}

/** A drill: its record, and how it is written after each step. */
class Drill {
  /** @param isBegun whether it may leave something: before that, there is no record either */
  constructor(
    readonly context: Context,
    readonly place: SecondRegion,
    readonly record: RegionDrill,
    private isBegun: boolean,
  ) {}

  async begin(): Promise<void> {
    this.isBegun = true;
    await this.save();
  }

  async save(): Promise<void> {
    if (this.isBegun) await writeRecord(await this.place.clients.s3(), this.place, this.record);
  }

  /** Takes a step, says how long it took, and records that. A step that fails is recorded as well. */
  async step<Result>(
    step: string,
    take: () => Promise<{ readonly detail: string; readonly result: Result }>,
  ): Promise<Result> {
    const { context, record } = this;
    const startedAt = context.now();
    const ended = async (detail: string, done: boolean): Promise<void> => {
      const durationMs = context.now().getTime() - startedAt.getTime();
      record.steps.push({ step, startedAt: startedAt.toISOString(), durationMs, detail, done });
      context.note(`${step}: ${detail} (${duration(durationMs)})`);
      await this.save();
    };
    context.note(`${step} …`);
    try {
      const { detail, result } = await take();
      await ended(detail, true);
      return result;
    } catch (error) {
      await ended(explain(error, step, this.place.target.label).message, false).catch(() => undefined);
      throw error;
    }
  }
}

/** Begins a drill, or continues the one that was interrupted. */
async function open(context: Context, place: SecondRegion, into: string): Promise<Drill> {
  const { environment } = context.target;
  const last = await newestRecord(await place.clients.s3(), place.bucket);
  if (last?.outcome === 'running') {
    if (last.into !== into) {
      throw new CommandError(
        'refused',
        `A drill into ${last.into} was interrupted: continue it with --into ${last.into}, or add --abandon to clean up after it`,
      );
    }
    context.note(`Continuing the drill that ${last.by} began at ${last.startedAt}`);
    return new Drill(context, place, { ...last, runs: last.runs + 1 }, true);
  }
  const record: RegionDrill = {
    format: 'billing-operations-region-loss-drill',
    version: 1,
    environment,
    into,
    region: place.region,
    startedAt: context.now().toISOString(),
    endedAt: null,
    outcome: 'running',
    by: await callerName(context.clients, context.target),
    runs: 1,
    gaps: [],
    rpo: [],
    steps: [],
    restored: [],
    made: { bucket: '', prefixes: [], secret: null },
    rto: null,
  };
  return new Drill(context, place, record, false);
}

/**
 * Rehearses the loss of the first region with what the second one has: checks, restores the newest archive of each database into a
 * scratch database there, and takes back what it made. An interrupted drill continues with the next call.
 *
 * @throws CommandError `refused` when a restore could not be tried, or the successor has data of its own; what a step throws
 */
export async function runDrill(context: Context, place: SecondRegion, options: DrillOptions): Promise<RegionDrill> {
  const { into } = options;
  if (into === context.target.environment) {
    throw new CommandError(
      'usage',
      `--into ${into}: expected the environment in the second region, not the one that is lost`,
    );
  }
  const drill = await open(context, place, into);
  const { record } = drill;
  const { report, archives } = await drill.step('check', async () => {
    const result = await checkSecondRegion(context, place, options);
    const gaps = result.report.findings.filter(({ state }) => state === 'wrong');
    return { detail: gaps.length === 0 ? 'no gap' : `gaps: ${gaps.map(({ check }) => check).join(', ')}`, result };
  });
  record.rpo = [...report.rpo];
  record.gaps = report.findings.filter(({ state }) => state === 'wrong');
  refuseWithout(record);
  await drill.step('deploy', () => deployed(context, place, into));
  const successor = await findSuccessor(context, place, into);
  try {
    await restoreInto(drill, successor, [...archives.values()], options.confirm);
  } finally {
    await successor.clients.close();
  }
  await cleanUp(drill);
  return finish(drill);
}

/**
 * Takes back what an interrupted drill made.
 *
 * @param confirm name of the environment, as typed ahead
 * @throws CommandError `refused` when the environment is in use by now: the drill is closed, and nothing is removed
 */
export async function abandonDrill(
  context: Context,
  place: SecondRegion,
  into: string,
  confirm: string | undefined,
): Promise<RegionDrill> {
  const last = await newestRecord(await place.clients.s3(), place.bucket);
  if (last?.outcome !== 'running' || last.into !== into) {
    throw new CommandError('refused', `No drill into ${into} was interrupted: there is nothing to abandon`);
  }
  const drill = new Drill(context, place, { ...last, runs: last.runs + 1 }, true);
  const inUse = await usedSince(place, last.made);
  const close = async (): Promise<void> => {
    Object.assign(drill.record, { outcome: 'abandoned', endedAt: context.now().toISOString() });
    await drill.save();
  };
  if (inUse !== undefined) {
    await close();
    throw new CommandError('refused', `${into} is in use: ${inUse}. The drill is closed, and nothing was removed`);
  }
  await context.confirm(
    into,
    confirm,
    `What the drill of ${last.startedAt} copied into s3://${last.made.bucket} is removed, and ${into} gets its own key of erasures back.`,
  );
  await cleanUp(drill);
  await close();
  return drill.record;
}

function refuseWithout({ gaps }: RegionDrill): void {
  const [missing] = gaps.filter(({ check }) => NEEDED.test(check));
  if (missing === undefined) return;
  throw new CommandError(
    'refused',
    `Nothing can be restored: ${missing.check}: ${missing.detail}. ${missing.fix ?? ''}`,
  );
}

/** Waits until the stacks of the successor are there, which a person deploys. */
async function deployed(
  { note, signal }: Context,
  { clients, region }: SecondRegion,
  into: string,
): Promise<{ detail: string; result: undefined }> {
  const { paginateDescribeStacks } = await import('@aws-sdk/client-cloudformation');
  const { setTimeout: sleep } = await import('node:timers/promises');
  const client = await clients.cloudFormation();
  const names = STACKS.map((stack) => functionName(into, stack));
  let said = '';
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(2 * pollMs, LONGEST_POLL_MS)) {
    const states = new Map<string, string>();
    for await (const { Stacks = [] } of paginateDescribeStacks({ client }, {})) {
      for (const { StackName = '', StackStatus = '' } of Stacks) states.set(StackName, StackStatus);
    }
    const failed = names.find((name) => FAILED.test(states.get(name) ?? ''));
    if (failed !== undefined) {
      throw new CommandError(
        'failed',
        `${failed} is ${states.get(failed)}: npx cdk deploy -c env=${into} says why; after ROLLBACK_COMPLETE, destroy it first. Then repeat the command`,
      );
    }
    const waiting = names.filter((name) => !SETTLED.test(states.get(name) ?? ''));
    if (waiting.length === 0) {
      return {
        detail: said === '' ? 'was deployed before, and not timed' : `deployed in ${region}`,
        result: undefined,
      };
    }
    const status = waiting.map((name) => `${name} is ${states.get(name) ?? 'not there'}`).join(', ');
    if (said === '') note(`Deploy it, in another terminal: npx cdk deploy -c env=${into} --all`);
    if (said !== status) note(`Waiting: ${status}`);
    said = status;
    await sleep(pollMs, undefined, { signal });
  }
}

async function restoreInto(
  drill: Drill,
  successor: Successor,
  archives: readonly CopiedArchive[],
  confirm: string | undefined,
): Promise<void> {
  const { context, place, record } = drill;
  const { name, bucket } = successor;
  // A drill that was interrupted has put its objects there itself.
  const inUse = await usedSince(place, record.made);
  if (inUse !== undefined) {
    throw new CommandError(
      'refused',
      `${name} is in use since the drill was interrupted: ${inUse}. Close the drill with --abandon, which then removes nothing`,
    );
  }
  if (record.made.bucket === '') {
    await assertUnused(successor, archives);
    await context.confirm(
      name,
      confirm,
      `The drill copies the newest archives and the ledger of erasures into s3://${bucket}, puts the key of the ledger into the secret of ${name}, restores both databases into scratch databases there, and takes all of it back.`,
    );
  }
  // On record before it is made: a drill that is killed leaves nothing that its successor does not know of.
  const prefixes = [...new Set([...record.made.prefixes, ...prefixesOf(archives)])];
  record.made = { ...record.made, bucket, prefixes };
  await drill.begin();
  await drill.step('key of erasures', async () => {
    const detail = await putErasureKey(place, successor, record.made.secret, async (secret) => {
      record.made = { ...record.made, secret };
      await drill.save();
    });
    return { detail, result: undefined };
  });
  await drill.step('copy', async () => ({
    detail: await copyObjects(place, successor, archives, context),
    result: undefined,
  }));
  for (const archive of archives) {
    const { database } = archive;
    const scratch = `${database}_region_drill_${record.startedAt.slice(0, 19).replaceAll(/\D/g, '')}`;
    const restored = await drill.step(`restore ${database}`, async () => {
      const result = await restoreCopy(context, successor, archive, scratch);
      const detail = `${result.rows.toLocaleString('en')} rows of ${result.archive}, verified, ${result.rowsErased.toLocaleString('en')} erased again, dropped`;
      return { detail, result };
    });
    record.restored = [...record.restored.filter((each) => each.database !== database), restored];
  }
}

async function cleanUp(drill: Drill): Promise<void> {
  const { place, record } = drill;
  if (record.made.bucket === '') return;
  await drill.step('clean up', async () => ({ detail: await takeBack(place.clients, record.made), result: undefined }));
  record.made = { bucket: '', prefixes: [], secret: null };
  await drill.save();
}

/** The time that a recovery would take: what was measured, and what a drill does not do. */
async function finish(drill: Drill): Promise<RegionDrill> {
  const { record, context } = drill;
  const done = record.steps.filter((step) => step.done);
  const timesOf = (name: string): number[] =>
    done.flatMap(({ step, durationMs }) => (step === name ? [durationMs] : []));
  const measuredMs =
    ['deploy', 'key of erasures', 'restore billing', 'restore main']
      // A run that continues finds the stacks and the key there: the run that made them tells how long it takes.
      .map((name) => Math.max(0, ...timesOf(name)))
      .reduce((sum, longest) => sum + longest, 0) +
    // Each run copies what the one before has not.
    record.steps.filter(({ step }) => step === 'copy').reduce((sum, { durationMs }) => sum + durationMs, 0);
  const wasSeen = done.some(({ step, detail }) => step === 'deploy' && detail.startsWith('deployed in'));
  const estimatedMinutes = { ...ESTIMATED_MINUTES, ...(wasSeen ? {} : { deploy: DEPLOY_MINUTES }) };
  const minutes = Object.values(estimatedMinutes).reduce((sum, each) => sum + each, 0);
  record.rto = { measuredMs, estimatedMinutes, totalMinutes: Math.ceil(minutes + measuredMs / 60_000) };
  record.outcome = record.gaps.length === 0 ? 'passed' : 'gaps';
  record.endedAt = context.now().toISOString();
  await drill.save();
  return record;
}

/** What people read at the end. */
export function drillLines({ rto, startedAt, outcome, gaps }: RegionDrill, { bucket }: SecondRegion): string[] {
  const estimated = Object.entries(rto?.estimatedMinutes ?? {}).map(([step, minutes]) => `${step} ${minutes} min`);
  return [
    ...gaps.map(({ check, detail, fix }) => `gap: ${check}: ${detail}. ${fix ?? ''}`),
    ...(rto === null
      ? []
      : [
          `RTO  ${span(rto.totalMinutes * 60)}: ${duration(rto.measuredMs)} measured, and estimated ${estimated.join(', ')}`,
        ]),
    `${outcome}: s3://${bucket}/${recordKey(startedAt)}`,
  ];
}
