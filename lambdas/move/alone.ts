import { advanceSequences } from '../../core/restore/sequences';
import { OperationError } from '../../core/runtime/errors';
import { Deviations } from '../../core/schema/apply/deviations';
import { wayOnApart } from './apart';
import { admitWrites, isRefusing, refuseWrites } from './barrier';
import type { ChangeReport } from './contract';
import { report } from './copy';
import { assertNotRotating } from './ready';
import { copyRecord, type Move, outOfOrder, recordEndOfPause, recordStage } from './record';
import { BACK, dropSubscription, FORWARD } from './replication';
import { removeReplication } from './removal';
import { connected, type Connected, type MoveDependencies, nameOf, type Servers, type Side } from './servers';
import { Steps } from './steps';
import { direct, isMoved, undirectedSecrets } from './switch';

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
 * it may have taken writes that the new one lacks, unless that is accepted, and where a rotation that is under way may send functions
 * there again
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
  const undirected = isConfigured ? [] : await undirectedSecrets(dependencies);
  const mayLack = !isConfigured && (move.stage === 'switching-back' || undirected.length > 0);
  if (mayLack && !abandon) {
    const reason =
      move.stage === 'switching-back'
        ? 'functions may have written there since the roll-back: bring it back, and repeat ops move roll-back'
        : `functions may have written there, since ${undirected.join(', ')} sends them to it: bring it back, and repeat ops move cut-over`;
    throw new OperationError(
      'move_not_ready',
      `${servers.source.name} does not answer, and ${reason}. To lose what they wrote, add --abandon. Nothing was changed`,
    );
  }
  // Otherwise no server takes writes until the step has ended, which a rotation must not keep it from.
  if (!isConfigured && (mayLack || move.stage === 'cut-over')) {
    await assertNotRotating(dependencies, [dependencies.other.target.secretArn]);
  }
  const confirmWith = nameOf(target.connector.target);
  if (confirm !== confirmWith) {
    const steps = [
      `${servers.source.name} does not answer: go on without it${mayLack ? `. ${KEEP_AWAY}` : ''}`,
      `Let ${target.name} take writes, and send functions there, by their secrets`,
      ...(mayLack ? [`Lose what was written on ${servers.source.name} alone`] : []),
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
  const next =
    move.stage === 'switching-back'
      ? `ops move finish --early, before ${servers.source.name} answers again: it may have writes of its own, and is no way back`
      : `ops move cut-over once more when ${servers.source.name} answers again, for the way back; if it never will: ops move finish --early`;
  return report(servers, { stage: 'cut-over', confirmWith, steps: steps.all(), pauseMs, next });
}

/** @throws OperationError `move_not_ready` where the new server may hold what the old one lacks, and that is not accepted */
export async function assertGivenUp(
  dependencies: MoveDependencies,
  servers: Servers,
  move: Move,
  abandon: boolean,
): Promise<void> {
  if (abandon) return;
  const { source, target } = servers;
  if (target.unreachable === undefined) {
    throw new OperationError(
      'move_not_ready',
      `${target.name} takes writes that ${source.name} does not receive: ${wayOnApart(servers)}. Nothing was changed`,
    );
  }
  // Functions that a cut-over without the old server sent to the new one, write there.
  if (move.stage === 'switching-back' && !(await isMoved(dependencies))) return;
  throw new OperationError(
    'move_not_ready',
    `${target.name} does not answer, and may hold writes that ${source.name} has not received: bring it back, and repeat the step. To lose them, add --abandon. Nothing was changed`,
  );
}

/** What {@link rollBackAlone} would do. */
export function stepsAlone({ source, target }: Servers): string[] {
  return [
    target.unreachable
      ? `${target.name} does not answer: go on without it. ${KEEP_AWAY}`
      : `Refuse writes on ${target.name}`,
    `Lose what was written on ${target.name} and has not arrived at ${source.name}`,
    'Set sequences forward behind the highest number of their columns',
    `Let ${source.name} take writes, and send functions there, by their secrets`,
    `Remove what the move made${target.unreachable ? ' there' : ' on both servers'}`,
  ];
}

/**
 * Lets the old server take the writes with what has arrived there, while the new one does not answer, or after both took writes.
 * Until the new one refuses writes, repeating the step asks for `--abandon` again.
 */
export async function rollBackAlone(
  dependencies: MoveDependencies,
  servers: Servers,
  { source, move }: { readonly source: Connected; readonly move: Move },
): Promise<ChangeReport> {
  const steps = new Steps(dependencies.log, 'roll-back');
  const target = servers.target.unreachable ? undefined : connected(servers.target);
  // What arrives late would overwrite what is written from now on.
  await dropSubscription(source, BACK);
  const deviations = new Deviations();
  await advanceSequences(source.client, deviations);
  const advanced = deviations.all();
  steps.add(`${advanced.length} sequences ${advanced.length === 0 ? 'had to be ' : ''}set forward`);
  if (target) await refuseAgain(target, source);
  await recordStage(source.client, move, 'switching-back');
  if (target) await copyRecord(source.client, target.client, move);
  await admitWrites(source);
  await direct(dependencies, { state: 'none' });
  const pauseMs = await recordEndOfPause(source.client, move, 'roll-back');
  steps.add('Functions write to the old server again, which has what had arrived');
  await removeReplication(servers, move, steps, 'source');
  await recordStage(source.client, move, 'rolled-back');
  if (target) await copyRecord(source.client, target.client, move);
  const next = target
    ? `${target.name} takes no writes any more: compare it by hand with what was lost, then drop it`
    : `If ${servers.target.name} answers again: ops move roll-back once more removes what the move made there, and refuses writes. Compare it by hand with what was lost, then drop it`;
  return report(servers, {
    stage: 'rolled-back',
    confirmWith: nameOf(source.connector.target),
    steps: steps.all(),
    pauseMs,
    next,
  });
}

/** Refuses writes on the new server, unless it refuses them. */
export async function refuseAgain(target: Connected, source: Side): Promise<void> {
  if (!(await isRefusing(target))) await refuseWrites(target, `moved back to ${source.name}`);
}
