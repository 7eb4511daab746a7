import { isRefusing } from './barrier';
import { type Move, openMove } from './record';
import { connected, type Servers } from './servers';
import { isMoved, type Secrets } from './switch';

/**
 * Whether both servers may have writes that the other lacks: a roll-back let the old server take writes without the new one, or a
 * cut-over the new one without the old.
 */
export async function isApart(
  secrets: Secrets,
  { target, isConfigured }: Servers,
  { id, stage }: Move,
): Promise<boolean> {
  if (target.client === undefined || (stage !== 'switching-back' && stage !== 'rolled-back')) return false;
  if (await isRefusing(connected(target))) return false;
  if (stage === 'switching-back') return true;
  // The old server recorded the end of the roll-back, and the new one did not receive it. Functions that write there were sent by a
  // cut-over since; without one, they write to the old server alone.
  return (await openMove(target.client))?.id === id && (isConfigured || (await isMoved(secrets)));
}

/** What an operator can do then. */
export function wayOnApart({ source, target }: Pick<Servers, 'source' | 'target'>): string {
  return `to keep what was written on ${target.name}, stop ${source.name} and run ops move finish --early; to lose it, run ops move roll-back --abandon`;
}
