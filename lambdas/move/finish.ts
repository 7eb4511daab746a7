import { OperationError } from '../../core/runtime/errors';
import { isRefusing, refuseWrites } from './barrier';
import { type ChangeReport, KEPT_DAYS } from './contract';
import { report } from './copy';
import { notTyped } from './cut-over';
import { endOfWayBack } from './ready';
import { copyRecord, outOfOrder, recordStage } from './record';
import { removeReplication } from './removal';
import { connected, type Connected, type MoveDependencies, nameOf, type Servers, withServers } from './servers';
import { Steps } from './steps';
import { settleSecrets, undirectedSecrets } from './switch';

const STEPS = [
  'End replication to the old server, which stays without writes; there is no way back but a restore',
  'Remove subscriptions, slots, publications, the role of replication and replica identities on both servers',
  'Let migrations, roles and privileges change again',
];

const stepsWithout = (name: string): string[] => [
  ...STEPS,
  `${name} does not answer: do all of this without it, and leave there what the move made`,
];

/**
 * Ends a move: removes what it made on both servers. The old one keeps refusing writes until an operator deletes it. Repeated
 * once the configuration names the new server, it also takes the redirection out of the secrets.
 *
 * @throws OperationError `move_out_of_order`; `move_not_ready` before the days are over, and where functions may be writing to an
 * old server, by a secret or since it does not answer
 */
export async function finish(
  dependencies: MoveDependencies,
  { confirm, early }: { readonly confirm?: string | undefined; readonly early: boolean },
): Promise<ChangeReport> {
  return withServers(dependencies, async (servers) => {
    const { move, isConfigured } = servers;
    if (move?.stage !== 'cut-over' && move?.stage !== 'finished') {
      throw outOfOrder('finish', move, 'ops move plan says it');
    }
    // What the new server keeps for an old one that does not answer fills its disk.
    const source = servers.source.unreachable ? undefined : connected(servers.source);
    const target = connected(servers.target);
    const undirected = isConfigured ? [] : await undirectedSecrets(dependencies);
    if (source === undefined) await assertTakesWrites(servers, target, undirected);
    else if (move.stage === 'cut-over') assertDirected(servers, undirected);
    const confirmWith = nameOf(target.connector.target);
    const end = move.cutOverAt && endOfWayBack(move.cutOverAt);
    if (end && dependencies.clock() < end && !early) {
      throw new OperationError(
        'move_not_ready',
        `The old server is kept for ${KEPT_DAYS} days, until ${end.toISOString()}, as the way back. To give that up now, add --early`,
      );
    }
    if (confirm !== confirmWith) {
      if (confirm !== undefined) throw notTyped(confirm, confirmWith);
      const { stage } = move;
      return report(servers, {
        stage,
        dryRun: true,
        confirmWith,
        steps: source ? STEPS : stepsWithout(servers.source.name),
        next: 'ops move finish',
      });
    }
    const steps = new Steps(dependencies.log, 'finish');
    // An old server that was away may have taken writes in a roll-back that stopped.
    if (source && !(await isRefusing(source))) await refuseWrites(source, `moved to ${target.name}`);
    await removeReplication(servers, move, steps, 'target');
    await recordStage((source ?? target).client, move, 'finished');
    if (source) await copyRecord(source.client, target.client, move);
    if (isConfigured) steps.add(`${await settleSecrets(dependencies)} secrets name the new server as theirs`);
    else steps.add('The secrets keep sending functions to the new server, since the configuration names the old one');
    const next = isConfigured
      ? `Delete the old server, ${servers.source.name}, which still takes no writes`
      : `Name ${target.name} in the configuration, deploy, and repeat ops move finish; then delete the old server, ${servers.source.name}`;
    return report(servers, { stage: 'finished', confirmWith, steps: steps.all(), next });
  });
}

/** @throws OperationError `move_not_ready` where the old server, which does not answer, may be the one that takes the writes */
async function assertTakesWrites(
  { source, isConfigured }: Servers,
  target: Connected,
  undirected: readonly string[],
): Promise<void> {
  const refuses = await isRefusing(target);
  if (!refuses && (isConfigured || undirected.length === 0)) return;
  const reason = refuses ? `${target.name} refuses writes` : `${undirected.join(', ')} sends them there`;
  throw new OperationError(
    'move_not_ready',
    `${source.name} does not answer, and functions may be writing there: ${reason}. Bring it back; to let ${target.name} take the writes without it: ops move cut-over. Nothing was changed`,
  );
}

/**
 * The old server takes no writes for ever once a move is finished, and an operator deletes it.
 *
 * @throws OperationError `move_not_ready` naming the secrets that send functions there
 */
function assertDirected({ source, target }: Servers, undirected: readonly string[]): void {
  if (undirected.length === 0) return;
  throw new OperationError(
    'move_not_ready',
    `${undirected.join(', ')} sends functions to ${source.name}, which takes no writes: ops move cut-over sends them to ${target.name}. Nothing was changed`,
  );
}
