import { keyToSlot, normaliseSlot, type Slot, slotToKey } from '../archive/slot';

/**
 * What a database of this platform's own is for; the beginning of its name. `unproven` is a restore under way: it gets the
 * name that was asked for once it is proven; `restoring` is one that takes many calls, `drilling` a drill that does. `schema` exists for the moment in which a schema is read from it.
 */
export const SCRATCH_PURPOSES = ['drill', 'drilling', 'restoring', 'row_recovery', 'schema', 'unproven'] as const;
export type ScratchPurpose = (typeof SCRATCH_PURPOSES)[number];
/** What a workflow restores for, in many calls. */
export type SteppedPurpose = Extract<ScratchPurpose, 'restoring' | 'drilling'>;

/** Characters of a PostgreSQL name; the server truncates longer ones. */
const LONGEST_NAME = 63;
const LONGEST_TIME = '_20261121t060000z'.length;

/**
 * `drill_billing_20261121t060000z`: the purpose, the live database that it is a copy of, and the start of the run.
 * The live database is named as on the server, because one server may hold those of several environments.
 */
export function scratchName(purpose: ScratchPurpose, liveDatabase: string, startedAt: Date): string {
  return `${scratchPrefix(purpose, liveDatabase)}${slotToKey(normaliseSlot(startedAt)).toLowerCase()}`;
}

/** The beginning of every name that {@link scratchName} makes for a purpose and a live database. */
export function scratchPrefix(purpose: ScratchPurpose, liveDatabase: string): string {
  const plain = liveDatabase.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
  return `${`${purpose}_${plain}`.slice(0, LONGEST_NAME - LONGEST_TIME)}_`;
}

/** The start of the run that a scratch database belongs to; `undefined` for a name that {@link scratchName} does not make. */
export function startOfScratch(purpose: ScratchPurpose, liveDatabase: string, name: string): Slot | undefined {
  const prefix = scratchPrefix(purpose, liveDatabase);
  return name.startsWith(prefix) ? keyToSlot(name.slice(prefix.length).toUpperCase()) : undefined;
}

/** Whether a sweep may drop a database of this name. */
export function isScratchName(liveDatabase: string, name: string): boolean {
  return SCRATCH_PURPOSES.some((purpose) => startOfScratch(purpose, liveDatabase, name) !== undefined);
}

const SCRATCH_NAME = new RegExp(`^(${SCRATCH_PURPOSES.join('|')})_.*_[0-9]{8}t[0-9]{6}z$`);

/** Whether a name is one of {@link scratchName}, of any live database, such as one of another environment on the same server. */
export function isAnyScratchName(name: string): boolean {
  return SCRATCH_NAME.test(name);
}
