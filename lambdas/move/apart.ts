import { isRefusing } from './barrier';
import type { Move } from './record';
import { connected, type Servers } from './servers';

/**
 * Whether both servers may have writes that the other lacks: a roll-back let the old server take writes without the new one, or a
 * cut-over the new one without the old.
 */
export async function isApart({ target }: Servers, { stage }: Move): Promise<boolean> {
  return stage === 'switching-back' && target.client !== undefined && !(await isRefusing(connected(target)));
}

/** What an operator can do then. */
export function wayOnApart({ source, target }: Pick<Servers, 'source' | 'target'>): string {
  return `to keep what was written on ${target.name}, stop ${source.name} and run ops move finish --early; to lose it, run ops move roll-back --abandon`;
}
