import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError } from '../../core/runtime/errors';
import type { SourceTable } from '../../core/archive/catalog';
import { type Confirmation, cutOverAlone } from './alone';
import { isApart, wayOnApart } from './apart';
import { admitWrites, endSessions, isRefusing, refuseWrites, removeBarrier } from './barrier';
import { type Comparison, compareTable, differencesOfSchema } from './compare';
import { type ChangeReport, VERIFIED_HOURS } from './contract';
import { bringLoginsUp, report } from './copy';
import { assertClose, assertCopied, assertNoRotationDue, assertNotRotating, untilQuiet } from './ready';
import { copyRecord, outOfOrder, recordEndOfPause, recordPause, recordStage, type Move, undo } from './record';
import {
  awaitBeat,
  BACK,
  beat,
  FORWARD,
  grantReading,
  ensureReplicator,
  publish,
  unpublish,
  dropSlot,
  dropSubscription,
} from './replication';
import { connected, type Connected, type MoveDependencies, nameOf, withServers } from './servers';
import { Steps } from './steps';
import { subscribe } from './subscribe';
import { carrySequences, direct, undirectedSecrets } from './switch';
import { BEATS, label, replicatedTables } from './tables';

/** How long the pause may be made longer by comparing rows once more. What was compared before is not in doubt. */
export const COMPARE_MS = 3_000;

/** What a cut-over that is confirmed goes through. */
const STEPS = [
  'Compare the schema of both servers once more',
  'Begin to replicate from the new server to the old one, for a way back',
  'Refuse writes on the old server, at one moment; functions wait',
  'Wait until the last row has arrived, carry the sequences, compare rows',
  'Send functions to the new server, by their secrets',
];
/** After the new server was found to have everything. */
const STEPS_SWITCHING = ['Let the new server take writes, and send functions there, by their secrets'];

/**
 * Lets the new server take the writes. A failure before that sends functions back to the old one; a step that was killed is
 * repeated, or taken back by `roll-back`.
 *
 * @throws OperationError `move_out_of_order`, `move_not_ready`, `database_busy`: nothing was changed; `move_not_equal`,
 * `move_stuck`: writes are where they were
 */
export async function cutOver(
  dependencies: MoveDependencies,
  { confirm, abandon }: Confirmation,
): Promise<ChangeReport> {
  return withServers(dependencies, async (servers) => {
    const { move, isConfigured } = servers;
    if (servers.source.unreachable) {
      if (confirm !== undefined && servers.target.client) assertTyped(confirm, nameOf(servers.target.connector.target));
      return cutOverAlone(dependencies, servers, { confirm, abandon });
    }
    if (move === undefined || isConfigured || !(await isContinued(dependencies, move))) {
      const apart = move !== undefined && (await isApart(dependencies, servers, move));
      throw outOfOrder('cut-over', move, apart ? wayOnApart(servers) : 'ops move plan says it');
    }
    const [source, target] = [connected(servers.source), connected(servers.target)];
    const confirmWith = nameOf(target.connector.target);
    if (move.stage === 'copying') {
      await assertCopied(target);
      assertVerified(move, dependencies.clock());
      await assertClose(source, FORWARD);
      await assertNoRotationDue(dependencies);
    }
    if (MAY_WAIT.has(move.stage)) await assertNotRotating(dependencies, [dependencies.other.target.secretArn]);
    if (confirm !== confirmWith) {
      if (confirm !== undefined) throw notTyped(confirm, confirmWith);
      const { stage } = move;
      const ahead = BEFORE_SWITCH.has(stage) ? STEPS : STEPS_SWITCHING;
      return report(servers, { stage, dryRun: true, confirmWith, steps: ahead, next: 'ops move cut-over' });
    }
    const steps = new Steps(dependencies.log, 'cut-over');
    if (BEFORE_SWITCH.has(move.stage)) {
      await prepare(dependencies, { source, target }, move, steps);
      await pause(dependencies, { source, target }, move, steps);
    }
    await admitWrites(target);
    await direct(dependencies, { state: 'moved', to: target });
    const pauseMs = await recordEndOfPause(source.client, move, 'cut-over');
    steps.add(`Functions write to the new server; writes waited ${pauseMs} ms`);
    // Migrations are refused on the new server from now on.
    await copyRecord(source.client, target.client, move);
    await dropSubscription(target, FORWARD);
    await dropSlot(source, FORWARD);
    await unpublish(source, FORWARD);
    await dropTriggers(target, steps);
    await recordStage(source.client, move, 'cut-over');
    await copyRecord(source.client, target.client, move);
    steps.add('Replication to the new server ended; the way back is open');
    return report(servers, { stage: 'cut-over', confirmWith, steps: steps.all(), pauseMs, next: NEXT });
  });
}

const BEFORE_SWITCH: ReadonlySet<string> = new Set(['copying', 'cutting-over']);
/** In the others that a cut-over continues no server takes writes until it has ended, which a rotation must not keep it from. */
const MAY_WAIT: ReadonlySet<string> = new Set([...BEFORE_SWITCH, 'cut-over']);
/** A roll-back that stopped before the old server took a write is taken back. */
const BEFORE: ReadonlySet<string> = new Set([...BEFORE_SWITCH, 'switching', 'rolling-back']);

/** Whether the step was begun and has something left to do, such as a secret that still sends functions to the old server. */
async function isContinued(dependencies: MoveDependencies, { stage }: Move): Promise<boolean> {
  return BEFORE.has(stage) || (stage === 'cut-over' && (await undirectedSecrets(dependencies)).length > 0);
}

const NEXT =
  'ops move verify, as often as you like. Name the new server in the configuration and deploy. After 7 days: ops move finish. To go back: ops move roll-back';

/** Triggers that are left on tables in use do nothing, and the end of the move drops them. */
async function dropTriggers(target: Connected, steps: Steps): Promise<void> {
  try {
    await removeBarrier(target, 1);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    steps.add('Tables in use keep triggers that refuse nothing any more; ops move finish drops them');
  }
}

function assertTyped(given: string, expected: string): void {
  if (given !== expected) throw notTyped(given, expected);
}

export function notTyped(given: string, expected: string): OperationError {
  return new OperationError('invalid_request', `confirm: expected ${expected}, not ${given}. Nothing was changed`);
}

function assertVerified({ verifiedAt }: Move, now: Date): void {
  const hours = verifiedAt === null ? Infinity : (now.getTime() - verifiedAt.getTime()) / 3_600_000;
  if (hours <= VERIFIED_HOURS) return;
  throw new OperationError(
    'move_not_ready',
    verifiedAt === null
      ? 'The rows were not compared yet: ops move verify'
      : `The rows were compared ${Math.round(hours)} hours ago, ${VERIFIED_HOURS} at most count: ops move verify`,
  );
}

export type Pair = { readonly source: Connected; readonly target: Connected };

/** Everything that can be done before the pause. */
async function prepare(
  dependencies: MoveDependencies,
  { source, target }: Pair,
  move: Move,
  steps: Steps,
): Promise<void> {
  const refusing = await isRefusing(source);
  if (!refusing) {
    const options = { workerFile: dependencies.pgDumpWorker, known: move.knownDifferences };
    const differences = await differencesOfSchema(source.connector, target.connector, options);
    const [first] = differences;
    if (first !== undefined) {
      throw new OperationError(
        'move_not_equal',
        `The schemas differ in ${differences.length} objects (${first.text}): roll the move back, and begin again`,
      );
    }
    await bringLoginsUp(dependencies, target, steps);
  }
  await refreshViews(target);
  await ensureReplicator(target);
  await grantReading(target);
  await publish(target, BACK);
  await subscribe(target, source, BACK, false);
  await awaitBeat(source, 'target', await beat(target.client, 'target'));
  steps.add('The new server replicates to the old one, for a way back');
  if (!refusing) await untilQuiet(source.client, sleep);
  await recordStage(source.client, move, 'cutting-over');
}

/** Materialised views are no tables: they are filled from the rows that were copied. */
async function refreshViews({ client }: Connected): Promise<void> {
  const { rows } = await client.query<{ view: string }>(
    `SELECT format('%I.%I', schemaname, matviewname) AS view FROM pg_matviews WHERE ispopulated`,
  );
  for (const { view } of rows) await client.query(`REFRESH MATERIALIZED VIEW ${view}`);
}

/** Refuses writes on the old server and brings the new one to the same state. A failure lets the old one take writes again. */
async function pause(
  dependencies: MoveDependencies,
  { source, target }: Pair,
  move: Move,
  steps: Steps,
): Promise<void> {
  try {
    // A connection that finds writes refused waits from now on, and does not fail.
    await direct(dependencies, { state: 'moving' });
    if (!(await isRefusing(source))) {
      await refuseWrites(source, `moved to ${target.name}`, () => recordPause(source.client, move));
    }
    const wanted = await beat(source.client, 'source');
    const ended = await endSessions(source);
    const arrivedMs = await awaitBeat(target, 'source', wanted);
    steps.add(
      `Writes refused on the old server; ${ended} sessions ended, the last row arrived after ${Math.round(arrivedMs)} ms`,
    );
    steps.add(`${await carrySequences(source, target)} sequences carried`);
    steps.add(await compareWithin({ source, target }, COMPARE_MS));
  } catch (error) {
    await undo(error, 'ops move cut-over continues the step, ops move roll-back takes it back', () =>
      resumeWrites(dependencies, source, move),
    );
    throw error;
  }
  // From here on the step only goes on: functions whose secret is written first write to the new server.
  await recordStage(source.client, move, 'switching');
  // Should the old server not answer from now on, the new one knows that it holds everything.
  await copyRecord(source.client, target.client, move);
}

/** Lets the old server take the writes again, which no other server did meanwhile. */
export async function resumeWrites(dependencies: MoveDependencies, source: Connected, move: Move): Promise<void> {
  await admitWrites(source);
  await direct(dependencies, { state: 'none' });
  await recordStage(source.client, move, 'copying');
}

/**
 * Compares all rows of as many tables as the time allows, the smallest first: all were compared before. Nothing writes meanwhile,
 * so that a difference is one. A table that does not fit is not compared again.
 */
export async function compareWithin({ source, target }: Pair, limitMs: number): Promise<string> {
  const deadline = performance.now() + limitMs;
  const tables = (await replicatedTables(source.client)).toSorted((one, other) => one.bytes - other.bytes);
  let compared = 0;
  let rows = 0;
  for (const table of tables.filter((one) => label(one) !== BEATS)) {
    const leftMs = Math.floor(deadline - performance.now());
    if (leftMs <= 0) break;
    const found = await compareFor(leftMs, { source, target }, table);
    if (found === undefined) break;
    if (found.differences > 0) {
      throw new OperationError(
        'move_not_equal',
        `${label(table)} differs between both servers: the move stays where it was. ops move verify names every table`,
      );
    }
    compared += 1;
    rows += found.rows;
  }
  return `${rows.toLocaleString('en')} rows of ${compared} of ${tables.length - 1} tables compared once more, equal`;
}

const CANCELLED = '57014';

/** The comparison of a table, or undefined where it takes longer. */
async function compareFor(
  limitMs: number,
  { source, target }: Pair,
  table: SourceTable,
): Promise<Comparison | undefined> {
  const limit = (value: string) =>
    Promise.all([source, target].map(({ client }) => client.query(`SET statement_timeout = ${value}`)));
  await limit(String(limitMs));
  try {
    return await compareTable(source, target, table);
  } catch (error) {
    if ((error as { readonly code?: string }).code === CANCELLED) return undefined;
    throw error;
  } finally {
    await limit('0').catch(() => undefined);
  }
}
