import { OperationError } from '../../core/runtime/errors';
import { type ChangeReport, KEPT_DAYS } from './contract';
import { report } from './copy';
import { notTyped } from './cut-over';
import { copyRecord, outOfOrder, recordStage } from './record';
import { connected } from './replication';
import { removeReplication } from './roll-back';
import { type MoveDependencies, nameOf, withServers } from './servers';
import { settleSecrets } from './switch';

const DAY_MS = 86_400_000;

const STEPS = [
  'End replication to the old server, which stays without writes; there is no way back but a restore',
  'Remove subscriptions, slots, publications, the role of replication and replica identities on both servers',
  'Let migrations, roles and privileges change again',
];

/**
 * Ends a move: removes what it made on both servers. The old one keeps refusing writes until an operator deletes it. Repeated
 * once the configuration names the new server, it also takes the redirection out of the secrets.
 *
 * @throws OperationError `move_out_of_order`; `move_not_ready` before the days are over
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
    const [source, target] = [connected(servers.source), connected(servers.target)];
    const days = (dependencies.clock().getTime() - (move.cutOverAt?.getTime() ?? 0)) / DAY_MS;
    const confirmWith = nameOf(target.connector.target);
    if (days < KEPT_DAYS && !early) {
      const end = new Date((move.cutOverAt?.getTime() ?? 0) + KEPT_DAYS * DAY_MS).toISOString();
      throw new OperationError(
        'move_not_ready',
        `The old server is kept for ${KEPT_DAYS} days, until ${end}, as the way back. To give that up now, add --early`,
      );
    }
    if (confirm !== confirmWith) {
      if (confirm !== undefined) throw notTyped(confirm, confirmWith);
      const { stage } = move;
      return report(servers, { stage, dryRun: true, confirmWith, steps: STEPS, next: 'ops move finish' });
    }
    const steps: string[] = [];
    await removeReplication(source, target, move, steps);
    await recordStage(source.client, move, 'finished');
    await copyRecord(source.client, target.client, move);
    if (isConfigured) steps.push(`${await settleSecrets(dependencies)} secrets name the new server as theirs`);
    else steps.push('The secrets keep sending functions to the new server, since the configuration names the old one');
    const next = isConfigured
      ? `Delete the old server, ${source.name}, which still takes no writes`
      : `Name ${target.name} in the configuration, deploy, and repeat ops move finish; then delete the old server, ${source.name}`;
    return report(servers, { stage: 'finished', confirmWith, steps, next });
  });
}
