import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError } from '../../core/runtime/errors';
import { admitWrites, endSessions, isRefusing, refuseWrites } from './barrier';
import { isApart } from './apart';
import type { ChangeReport } from './contract';
import { type Confirmation, assertGivenUp, refuseAgain, rollBackAlone, stepsAlone } from './alone';
import { report } from './copy';
import { COMPARE_MS, compareWithin, notTyped, type Pair, resumeWrites } from './cut-over';
import { assertClose, assertNotRotating, untilQuiet } from './ready';
import {
  copyRecord,
  type Move,
  openMove,
  outOfOrder,
  recordEndOfPause,
  recordPause,
  recordStage,
  undo,
} from './record';
import { removeReplication } from './removal';
import { awaitBeat, BACK, beat, isSubscribed } from './replication';
import {
  connected,
  type Connected,
  type MoveDependencies,
  nameOf,
  type Servers,
  type Side,
  withServers,
} from './servers';
import { Steps } from './steps';
import { carrySequences, direct, isMoved } from './switch';

const BEFORE_CUT_OVER: ReadonlySet<string> = new Set(['copying', 'cutting-over']);

const STEPS = [
  'Refuse writes on the new server, at one moment; functions wait',
  'Wait until the old server has the last row, carry the sequences back, compare rows',
  'Let the old server take writes, and send functions there, by their secrets',
  'End replication, and remove what the move made',
];
/** After the old server was found to have everything, and the new one refuses writes. */
const STEPS_SWITCHING = STEPS.slice(2);
const STEPS_BEFORE = [
  'End replication to the new server, whose database is left for you to drop',
  'Remove what the move made on the old server, which takes the writes all the time',
];

/**
 * Lets the old server take the writes again, with everything that was written on the new one since the cut-over. Before a
 * cut-over it gives the move up. Repeated after the end, it removes what was left on a new server that did not answer.
 *
 * @throws OperationError `move_out_of_order`, `move_not_ready`, `database_busy`: nothing was changed; `move_not_equal`,
 * `move_stuck`: the new server takes the writes, as before
 */
export async function rollBack(
  dependencies: MoveDependencies,
  { confirm, abandon }: Confirmation,
): Promise<ChangeReport> {
  return withServers(dependencies, async (servers) => {
    const { move } = servers;
    if (move === undefined || move.stage === 'finished') throw outOfOrder('roll-back', move, 'ops move plan');
    const source = connected(servers.source);
    const confirmWith = nameOf(source.connector.target);
    if (servers.isConfigured) throw isTurned(source.name);
    const isEarly = BEFORE_CUT_OVER.has(move.stage);
    const isOnTarget = move.stage === 'rolled-back' ? await isMoved(dependencies) : !isEarly;
    const isAlone = isOnTarget && servers.target.unreachable !== undefined;
    const isWithout = isAlone || (await isApart(dependencies, servers, move));
    if (isWithout) await assertGivenUp(dependencies, servers, move, abandon);
    // Without the new server at every stage: what a rotation copied may send functions there.
    if (move.stage === 'cut-over' || isWithout) await assertNotRotating(dependencies);
    if (confirm !== confirmWith) {
      if (confirm !== undefined) throw notTyped(confirm, confirmWith);
      const { stage } = move;
      const steps = isWithout ? stepsAlone(servers) : stepsOf(stage);
      return report(servers, { stage, dryRun: true, confirmWith, steps, next: 'ops move roll-back' });
    }
    if (isWithout) return rollBackAlone(dependencies, servers, { source, move });
    const steps = new Steps(dependencies.log, 'roll-back');
    if (isEarly || move.stage === 'rolled-back') return giveUp(dependencies, servers, { source, move }, steps);
    const pair = { source, target: connected(servers.target) };
    if (move.stage !== 'switching-back') await pauseBack(dependencies, pair, move, steps);
    // Before the old server takes a write: the new one must not take them again while that does not answer.
    await copyRecord(source.client, pair.target.client, move);
    await admitWrites(source);
    await direct(dependencies, { state: 'none' });
    const pauseMs = await recordEndOfPause(source.client, move, 'roll-back');
    steps.add(`Functions write to the old server again; writes waited ${pauseMs} ms`);
    await removeReplication(servers, move, steps, 'source');
    await recordStage(source.client, move, 'rolled-back');
    await copyRecord(source.client, pair.target.client, move);
    const next = `${servers.target.name} takes no writes any more: look at it, and drop it`;
    return report(servers, { stage: 'rolled-back', confirmWith, steps: steps.all(), pauseMs, next });
  });
}

function isTurned(source: string): OperationError {
  return new OperationError(
    'move_not_ready',
    `The configuration names the new server: name ${source} in it again, deploy, and repeat the step. Until then functions go on there, and the old server receives what they write`,
  );
}

function stepsOf(stage: Move['stage']): string[] {
  if (stage === 'rolled-back')
    return ['Remove what the move left on either server, which takes no writes on the new one'];
  if (stage === 'switching-back') return STEPS_SWITCHING;
  return BEFORE_CUT_OVER.has(stage) ? STEPS_BEFORE : STEPS;
}

/** Ends a move whose writes are on the old server, or ended there already. */
async function giveUp(
  dependencies: MoveDependencies,
  servers: Servers,
  { source, move }: { readonly source: Connected; readonly move: Move },
  steps: Steps,
): Promise<ChangeReport> {
  if (move.stage !== 'rolled-back') await resumeWrites(dependencies, source, move);
  else if (servers.target.client) await refuseAgain(connected(servers.target), source);
  await removeReplication(servers, move, steps, 'source');
  await recordStage(source.client, move, 'rolled-back');
  await closeRecord(source, servers.target, move);
  const next = servers.target.unreachable
    ? `When ${servers.target.name} answers again: ops move roll-back once more, then drop the database. To begin again: ops move plan`
    : `Drop the database ${servers.target.name}, and begin again: ops move plan`;
  const confirmWith = nameOf(source.connector.target);
  return report(servers, { stage: 'rolled-back', confirmWith, steps: steps.all(), next });
}

/** A record that stays open would let steps that do without the old server go on with the new one. */
async function closeRecord(source: Connected, { client }: Side, move: Move): Promise<void> {
  if (client && (await openMove(client))?.id === move.id) await copyRecord(source.client, client, move);
}

async function pauseBack(
  dependencies: MoveDependencies,
  { source, target }: Pair,
  move: Move,
  steps: Steps,
): Promise<void> {
  if (!(await isSubscribed(source, BACK))) {
    throw new OperationError(
      'move_not_ready',
      `${source.name} does not receive what is written on the new server, and would lose it: ops move plan says what comes next`,
    );
  }
  if (!(await isRefusing(target))) {
    await assertClose(target, BACK);
    await untilQuiet(target.client, sleep);
  }
  await recordStage(source.client, move, 'rolling-back');
  try {
    await direct(dependencies, { state: 'moving', to: target });
    if (!(await isRefusing(target))) {
      await refuseWrites(target, `moved back to ${source.name}`, () => recordPause(source.client, move));
    }
    const wanted = await beat(target.client, 'target');
    const ended = await endSessions(target);
    const arrivedMs = await awaitBeat(source, 'target', wanted);
    steps.add(
      `Writes refused on the new server; ${ended} sessions ended, the last row arrived after ${Math.round(arrivedMs)} ms`,
    );
    steps.add(`${await carrySequences(target, source)} sequences carried back`);
    steps.add(await compareWithin({ source, target }, COMPARE_MS));
  } catch (error) {
    await undo(error, 'ops move roll-back continues the step, ops move cut-over takes it back', async () => {
      await admitWrites(target);
      await direct(dependencies, { state: 'moved', to: target });
      // A cut-over that was interrupted is still to be completed.
      await recordStage(source.client, move, move.cutOverAt === null ? 'switching' : 'cut-over');
    });
    throw error;
  }
  await recordStage(source.client, move, 'switching-back');
}
