import type { Client } from 'pg';
import { removeBarrier } from './barrier';
import { lockBriefly } from './locks';
import type { Move } from './record';
import { abandonSlots, BACK, dropReplicator, dropSlot, dropSubscription, FORWARD, unpublish } from './replication';
import { connected, type Servers, type Side } from './servers';
import type { Steps } from './steps';

/** SQLSTATEs of a table, or its schema, that does not exist. */
const MISSING_TABLE = new Set(['42P01', '3F000']);

/**
 * Removes subscriptions, slots, publications and the role of replication, gives tables their identity back, and drops the triggers
 * of the server that takes the writes. Where one of the servers is missing or does not answer, on the other. Repeating it changes
 * nothing.
 *
 * @param keeper the server that takes the writes from now on
 * @throws OperationError `database_busy` where a transaction holds a table; replication has ended then
 */
export async function removeReplication(
  servers: Pick<Servers, 'source' | 'target'>,
  { identities }: Pick<Move, 'identities'>,
  steps: Steps,
  keeper: 'source' | 'target',
): Promise<void> {
  const source = present(servers.source);
  const target = present(servers.target);
  if (target) await dropSubscription(target, FORWARD);
  if (source) await dropSubscription(source, BACK);
  for (const [side, direction, other] of [
    [source, FORWARD, target],
    [target, BACK, source],
  ] as const) {
    if (side === undefined) continue;
    if (other === undefined) addLeftSlots(await abandonSlots(side, direction), side, steps);
    else await dropSlot(side, direction);
    await unpublish(side, direction);
    await dropReplicator(side);
  }
  for (const side of [source, target]) if (side) await resetIdentities(side.client, identities);
  const kept = keeper === 'source' ? source : target;
  if (kept) await removeBarrier(kept);
  steps.add('Subscriptions, slots, publications and the role of replication are removed');
  for (const { name, unreachable } of [servers.source, servers.target]) {
    if (unreachable) steps.add(`${name} does not answer: nothing was removed there`);
  }
}

/** A slot keeps log until it is dropped, and fills the disk. */
function addLeftSlots(slots: readonly string[], { name }: Side, steps: Steps): void {
  if (slots.length === 0) return;
  steps.add(
    `${name} keeps log for the slots ${slots.join(', ')}: whether they are of this move is not known, since the other server does not say its identifier (pg_control_system()). Drop those that are: SELECT pg_drop_replication_slot('…')`,
  );
}

const present = (side: Side) => (side.client === undefined ? undefined : connected(side));

/** A copy that was killed may not have made every table. */
async function resetIdentities(client: Client, identities: readonly string[]): Promise<void> {
  for (const statement of identities) {
    await lockBriefly(client, [statement]).catch((error: unknown) => {
      if (!MISSING_TABLE.has((error as { readonly code?: string }).code ?? '')) throw error;
    });
  }
}
