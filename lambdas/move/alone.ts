import { advanceSequences } from '../../core/restore/sequences';
import { OperationError } from '../../core/runtime/errors';
import { Deviations } from '../../core/schema/apply/deviations';
import { admitWrites } from './barrier';
import type { ChangeReport } from './contract';
import { report } from './copy';
import { type Move, outOfOrder, recordEndOfPause, recordStage } from './record';
import { BACK, dropSubscription, FORWARD } from './replication';
import { removeReplication } from './removal';
import { connected, type Connected, type MoveDependencies, nameOf, type Servers } from './servers';
import { Steps } from './steps';
import { direct, isDirected } from './switch';

/** Stages at which the new server holds all that the old one had. */
const NEW_HOLDS_ALL: ReadonlySet<string> = new Set(['switching', 'cut-over', 'rolling-back']);

/** What an operator who does without the other server may lose, and what to do before. */
const KEEP_AWAY =
  'Keep it from coming back while functions may still write there: take away the rule that admits them, or stop the server';

export interface Confirmation {
  readonly confirm?: string | undefined;
  /** Whether what the server that does not answer alone holds may be lost. */
  readonly abandon: boolean;
}

/**
 * Lets the new server take the writes while the old one does not answer: after a cut-over or a roll-back that stopped in between.
 *
 * @throws OperationError `move_out_of_order` before the cut-over, when only the old server has everything; `move_not_ready` where
 * it may have taken writes that the new one lacks, unless that is accepted
 */
export async function cutOverAlone(
  dependencies: MoveDependencies,
  servers: Servers,
  { confirm, abandon }: Confirmation,
): Promise<ChangeReport> {
  const { move, isConfigured } = servers;
  const target = connected(servers.target);
  if (move === undefined || (!NEW_HOLDS_ALL.has(move.stage) && move.stage !== 'switching-back')) {
    throw outOfOrder('cut-over', move, `bring ${servers.source.name} back, which does not answer`);
  }
  const mayLack = !isConfigured && (move.stage === 'switching-back' || !(await isDirected(dependencies)));
  if (mayLack && !abandon) {
    throw new OperationError(
      'move_not_ready',
      `${servers.source.name} does not answer, and functions may have written there since the roll-back: bring it back, and repeat ops move roll-back. To lose what they wrote, add --abandon. Nothing was changed`,
    );
  }
  const confirmWith = nameOf(target.connector.target);
  if (confirm !== confirmWith) {
    const steps = [
      `${servers.source.name} does not answer: go on without it${mayLack ? `. ${KEEP_AWAY}` : ''}`,
      `Let ${target.name} take writes, and send functions there, by their secrets`,
      ...(mayLack ? [`Lose what was written on ${servers.source.name} since the roll-back`] : []),
    ];
    return report(servers, { stage: move.stage, dryRun: true, confirmWith, steps, next: 'ops move cut-over' });
  }
  const steps = new Steps(dependencies.log, 'cut-over');
  await admitWrites(target);
  // Once the configuration names the new server, functions need no secret to find it.
  if (!isConfigured) await direct(dependencies, { state: 'moved', to: target });
  const pauseMs = await recordEndOfPause(target.client, move, 'cut-over');
  steps.add(`Functions write to the new server; writes waited ${pauseMs} ms`);
  await dropSubscription(target, FORWARD);
  await recordStage(target.client, move, 'cut-over');
  steps.add(`${servers.source.name} does not answer: its record of the move is as it was`);
  const next = `ops move cut-over once more when ${servers.source.name} answers again, for the way back; if it never will: ops move finish --early`;
  return report(servers, { stage: 'cut-over', confirmWith, steps: steps.all(), pauseMs, next });
}

/** @throws OperationError `move_not_ready` where the new server may hold what the old one lacks, and that is not accepted */
export function assertGivenUp(servers: Servers, move: Move, abandon: boolean): void {
  if (abandon || move.stage === 'switching-back') return;
  throw new OperationError(
    'move_not_ready',
    `${servers.target.name} does not answer, and may hold writes that ${servers.source.name} has not received: bring it back, and repeat the step. To lose them, add --abandon. Nothing was changed`,
  );
}

/** What {@link rollBackAlone} would do. */
export function stepsAlone({ source, target }: Servers): string[] {
  return [
    `${target.name} does not answer: go on without it. ${KEEP_AWAY}`,
    `Lose what was written on ${target.name} and has not arrived at ${source.name}`,
    'Set sequences forward behind the highest number of their columns',
    `Let ${source.name} take writes, and send functions there, by their secrets`,
    'Remove what the move made there',
  ];
}

/** Lets the old server take the writes with what has arrived there, while the new one does not answer. */
export async function rollBackAlone(
  dependencies: MoveDependencies,
  servers: Servers,
  { source, move }: { readonly source: Connected; readonly move: Move },
): Promise<ChangeReport> {
  const steps = new Steps(dependencies.log, 'roll-back');
  // What arrives late would overwrite what is written from now on.
  await dropSubscription(source, BACK);
  const deviations = new Deviations();
  await advanceSequences(source.client, deviations);
  const advanced = deviations.all();
  steps.add(`${advanced.length} sequences ${advanced.length === 0 ? 'had to be ' : ''}set forward`);
  await recordStage(source.client, move, 'switching-back');
  await admitWrites(source);
  await direct(dependencies, { state: 'none' });
  const pauseMs = await recordEndOfPause(source.client, move, 'roll-back');
  steps.add('Functions write to the old server again, which has what had arrived');
  await removeReplication(servers, move, steps, 'source');
  await recordStage(source.client, move, 'rolled-back');
  const next = `If ${servers.target.name} answers again: ops move roll-back once more removes what the move made there, and refuses writes. Compare it by hand with what was lost, then drop it`;
  return report(servers, {
    stage: 'rolled-back',
    confirmWith: nameOf(source.connector.target),
    steps: steps.all(),
    pauseMs,
    next,
  });
}
