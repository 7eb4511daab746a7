import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError } from '../../core/runtime/errors';
import { admitWrites, endSessions, isRefusing, refuseWrites } from './barrier';
import type { ChangeReport } from './contract';
import { report } from './copy';
import { COMPARE_MS, compareWithin, notTyped, type Pair, resumeWrites } from './cut-over';
import { assertClose, untilQuiet } from './ready';
import { copyRecord, isOpen, type Move, outOfOrder, recordEndOfPause, recordPause, recordStage } from './record';
import {
  awaitBeat,
  BACK,
  beat,
  connected,
  dropReplicator,
  FORWARD,
  isSubscribed,
  unpublish,
  unsubscribe,
  type Connected,
} from './replication';
import { type MoveDependencies, nameOf, withServers } from './servers';
import { carrySequences, direct } from './switch';

const BEFORE_CUT_OVER: ReadonlySet<string> = new Set(['copying', 'cutting-over']);

const STEPS = [
  'Refuse writes on the new server, at one moment; functions wait',
  'Wait until the old server has the last row, carry the sequences back, compare rows',
  'Let the old server take writes, and send functions there, by their secrets',
  'End replication, and remove what the move made',
];
const STEPS_BEFORE = [
  'End replication to the new server, whose database is left for you to drop',
  'Remove what the move made on the old server, which takes the writes all the time',
];

/**
 * Lets the old server take the writes again, with everything that was written on the new one since the cut-over. Before a
 * cut-over it gives the move up.
 *
 * @throws OperationError `move_out_of_order`, `move_not_ready`, `database_busy`: nothing was changed; `move_not_equal`,
 * `move_stuck`: the new server takes the writes, as before
 */
export async function rollBack(
  dependencies: MoveDependencies,
  { confirm }: { readonly confirm?: string | undefined },
): Promise<ChangeReport> {
  return withServers(dependencies, async (servers) => {
    const { move } = servers;
    if (!isOpen(move)) throw outOfOrder('roll-back', move, 'ops move plan');
    const source = connected(servers.source);
    const confirmWith = nameOf(source.connector.target);
    if (servers.isConfigured) {
      throw new OperationError(
        'move_not_ready',
        `The configuration names the new server: name ${source.name} in it again, deploy, and repeat the step. Until then functions go on there, and the old server receives what they write`,
      );
    }
    const isEarly = BEFORE_CUT_OVER.has(move.stage);
    if (confirm !== confirmWith) {
      if (confirm !== undefined) throw notTyped(confirm, confirmWith);
      const { stage } = move;
      const steps = isEarly ? STEPS_BEFORE : STEPS;
      return report(servers, { stage, dryRun: true, confirmWith, steps, next: 'ops move roll-back' });
    }
    const steps: string[] = [];
    if (isEarly) {
      const target = servers.target.client === undefined ? undefined : connected(servers.target);
      await resumeWrites(dependencies, source, move);
      await removeReplication(source, target, move, steps);
      await recordStage(source.client, move, 'rolled-back');
      const next = `Drop the database ${servers.target.name}, and begin again: ops move plan`;
      return report(servers, { stage: 'rolled-back', confirmWith, steps, next });
    }
    const pair = { source, target: connected(servers.target) };
    if (move.stage !== 'switching-back') await pauseBack(dependencies, pair, move, steps);
    await admitWrites(source);
    await direct(dependencies, { state: 'none' });
    const pauseMs = await recordEndOfPause(source.client, move, 'roll-back');
    steps.push(`Functions write to the old server again; writes waited ${pauseMs} ms`);
    await removeReplication(source, pair.target, move, steps);
    await recordStage(source.client, move, 'rolled-back');
    await copyRecord(source.client, pair.target.client, move);
    const next = `${servers.target.name} takes no writes any more: look at it, and drop it`;
    return report(servers, { stage: 'rolled-back', confirmWith, steps, pauseMs, next });
  });
}

async function pauseBack(
  dependencies: MoveDependencies,
  { source, target }: Pair,
  move: Move,
  steps: string[],
): Promise<void> {
  if (!(await isSubscribed(source, BACK))) {
    throw new OperationError(
      'move_not_ready',
      `${source.name} does not receive what is written on the new server, and would lose it`,
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
    steps.push(
      `Writes refused on the new server; ${ended} sessions ended, the last row arrived after ${Math.round(arrivedMs)} ms`,
    );
    steps.push(`${await carrySequences(target, source)} sequences carried back`);
    steps.push(await compareWithin({ source, target }, COMPARE_MS));
  } catch (error) {
    await admitWrites(target);
    await direct(dependencies, { state: 'moved', to: target });
    // A cut-over that was interrupted is still to be completed.
    await recordStage(source.client, move, move.cutOverAt === null ? 'switching' : 'cut-over');
    throw error;
  }
  await recordStage(source.client, move, 'switching-back');
}

/** Removes subscriptions, slots, publications and the role of replication on both servers, and gives tables their identity back. */
export async function removeReplication(
  source: Connected,
  target: Connected | undefined,
  { identities }: Pick<Move, 'identities'>,
  steps: string[],
): Promise<void> {
  if (target) {
    await unsubscribe(source, target, FORWARD);
    await unsubscribe(target, source, BACK);
    await unpublish(target, BACK);
    await dropReplicator(target);
  }
  await unpublish(source, FORWARD);
  await dropReplicator(source);
  for (const statement of identities) {
    await source.client.query(statement);
    // A copy that was killed may not have made every table.
    await target?.client.query(statement).catch(() => undefined);
  }
  steps.push('Subscriptions, slots, publications and the role of replication are removed on both servers');
}
