import { DATABASE_NAMES } from '../../core/contract';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { duration, span } from '../print/units';
import { type Checked, type CheckOptions, checkSecondRegion } from './check';
import type { CopiedArchive } from './copied-archives';
import { takeBack, usedSince } from './drill-clean-up';
import { assertUnused, copyObjects, findSuccessor, prefixesOf, putErasureKey, type Successor } from './drill-data';
import { waitUntilDeployed } from './drill-deploy';
import { recordKey, type RegionDrill, runningDrill } from './drill-record';
import { assertNothingRestores, restoreCopy } from './drill-restore';
import { Drill, openDrill, takenOver } from './drill-run';
import type { SecondRegion } from './place';

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
  const drill = await openDrill(context, place, into);
  const { record } = drill;
  const checked = await drill.step('check', async () => {
    const result = await checkSecondRegion(context, place, options);
    const gaps = result.report.findings.filter(({ state }) => state === 'wrong');
    return { detail: gaps.length === 0 ? 'no gap' : `gaps: ${gaps.map(({ check }) => check).join(', ')}`, result };
  });
  const { report, archives } = checked;
  record.rpo = [...report.rpo];
  record.gaps = report.findings.filter(({ state }) => state === 'wrong');
  assertRestorable(checked, place);
  await drill.step('deploy', () => waitUntilDeployed(context, place, into));
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
  const last = await runningDrill(await place.clients.s3(), place.bucket);
  if (last?.record.into !== into) {
    throw new CommandError('refused', `No drill into ${into} was interrupted: there is nothing to abandon`);
  }
  const { made, startedAt } = last.record;
  if (made.secret !== null && (await usedSince(place, made)) === undefined) {
    await context.confirm(
      into,
      confirm,
      `What the drill of ${startedAt} copied into s3://${made.bucket} is removed, and ${into} gets its own key of erasures back.`,
    );
  }
  // Replaces the record that was read above: a run that has gone on since is left alone.
  const drill = new Drill(context, place, takenOver(last.record, { abandoning: true }), last.etag);
  await drill.save();
  try {
    await cleanUp(drill);
  } catch (error) {
    if (!(error instanceof InUse)) throw error;
    await drill.close('abandoned');
    throw new CommandError('refused', `${error.reason}. The drill is closed, and nothing was removed`, {
      cause: error,
    });
  }
  await drill.close('abandoned');
  return drill.record;
}

/** An archive that is only old, and a ledger that only lacks an entry, are gaps that are restored all the same. */
function assertRestorable({ report: { findings }, archives, isLedgerRead }: Checked, place: SecondRegion): void {
  const isReadable = (each: CopiedArchive | undefined): boolean =>
    each !== undefined && (each.keyRegion ?? place.region) === place.region;
  const needed = [
    ...DATABASE_NAMES.flatMap((name) => [
      ...(isReadable(archives.get(name)) ? [] : [`archive of ${name}`]),
      `signature of ${name}`,
    ]),
    ...(isLedgerRead ? [] : ['ledger of erasures']),
    'secret ErasureKeySecret',
    // Where the secrets could not be listed, whether the key is there is not known.
    'secrets',
  ];
  const missing = findings.find(({ check, state }) => state === 'wrong' && needed.includes(check));
  if (missing === undefined) return;
  throw new CommandError(
    'refused',
    `Nothing can be restored: ${missing.check}: ${missing.detail}. ${missing.fix ?? ''}`,
  );
}

async function restoreInto(
  drill: Drill,
  successor: Successor,
  archives: readonly CopiedArchive[],
  confirm: string | undefined,
): Promise<void> {
  const { context, place, record } = drill;
  const { name, bucket } = successor;
  const inUse = await usedSince(place, record.made);
  if (inUse !== undefined) throw new InUse(`${name} is in use since the drill was interrupted: ${inUse}`);
  // Until it has put its own key there, it has copied nothing, and what is there is not its own.
  if (record.made.secret === null) {
    await assertUnused(successor, prefixesOf(archives));
    await context.confirm(
      name,
      confirm,
      `The drill copies the newest archives and the ledger of erasures into s3://${bucket}, puts the key of the ledger into the secret of ${name}, restores both databases into scratch databases there, and takes all of it back.`,
    );
  }
  await drill.begin();
  // On record before it is made: a drill that is killed leaves nothing that the next run does not know of.
  const prefixes = [...new Set([...record.made.prefixes, ...prefixesOf(archives)])];
  record.made = { ...record.made, bucket, prefixes };
  await drill.save();
  await drill.step('key of erasures', async () => ({
    detail: await putErasureKey(drill, successor),
    result: undefined,
  }));
  await drill.step('copy', async () => ({
    detail: await copyObjects(drill, successor, archives),
    result: undefined,
  }));
  for (const archive of archives) {
    const { database } = archive;
    const scratch = `${database}_region_drill_${record.startedAt.slice(0, 19).replaceAll(/\D/g, '')}`;
    const { restored, gap } = await drill.step(`restore ${database}`, async () => {
      const result = await restoreCopy(drill, successor, archive, scratch);
      const { rows, archive: slot, rowsErased } = result.restored;
      const proven = result.gap === undefined ? 'verified' : 'another schema';
      const detail = `${rows.toLocaleString('en')} rows of ${slot}, ${proven}, ${rowsErased.toLocaleString('en')} erased again, dropped`;
      return { detail, result };
    });
    record.gaps.push(...(gap === undefined ? [] : [gap]));
    record.restored = [...record.restored.filter((each) => each.database !== database), restored];
  }
}

/** The environment of the drill was taken into use: nothing of it may be removed. */
class InUse extends CommandError {
  /** @param reason the environment, and what tells that */
  constructor(readonly reason: string) {
    super('refused', `${reason}. Close the drill with --abandon, which then removes nothing`);
  }
}

/**
 * Takes back what the drill made.
 *
 * @throws InUse when the environment was taken into use; CommandError `refused` while a workflow restores
 */
async function cleanUp(drill: Drill): Promise<void> {
  const { place, record } = drill;
  if (record.made.bucket === '') return;
  await drill.step('clean up', async () => {
    await assertNothingRestores(place, record);
    // Straight before anything is removed: the restores may have taken hours.
    const inUse = await usedSince(place, record.made);
    if (inUse !== undefined) throw new InUse(`${record.into} is in use: ${inUse}`);
    // The run that has taken the drill over may have ended it, and the environment may have been recovered to since.
    await drill.assertOwn();
    return { detail: await takeBack(place.clients, record.made), result: undefined };
  });
  Object.assign(record, { made: { bucket: '', prefixes: [], secret: null }, executions: [] });
  await drill.save();
}

/** The time that a recovery would take: what was measured, and what a drill does not do. */
async function finish(drill: Drill): Promise<RegionDrill> {
  const { record } = drill;
  const done = record.steps.filter((step) => step.done);
  const timesOf = (name: string): number[] =>
    done.flatMap(({ step, durationMs }) => (step === name ? [durationMs] : []));
  const longest = (step: string, ...others: readonly number[]): number => Math.max(0, ...timesOf(step), ...others);
  const measuredMs =
    // A run that continues finds the stacks and the key there: the run that made them tells how long it takes.
    longest('deploy') +
    longest('key of erasures') +
    // Each run copies what the one before has not.
    record.steps.filter(({ step }) => step === 'copy').reduce((sum, { durationMs }) => sum + durationMs, 0) +
    // Of a workflow that an earlier run started, this one has seen the end alone.
    record.restored.reduce((sum, { database, durationMs }) => sum + longest(`restore ${database}`, durationMs), 0);
  const wasSeen = done.some(({ step, detail }) => step === 'deploy' && detail.startsWith('deployed in'));
  const estimatedMinutes = { ...ESTIMATED_MINUTES, ...(wasSeen ? {} : { deploy: DEPLOY_MINUTES }) };
  const minutes = Object.values(estimatedMinutes).reduce((sum, each) => sum + each, 0);
  record.rto = { measuredMs, estimatedMinutes, totalMinutes: Math.ceil(minutes + measuredMs / 60_000) };
  await drill.close(record.gaps.length === 0 ? 'passed' : 'gaps');
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
