import { InvalidRequestError } from '../runtime/errors';

/** `2026-11-21T06:00:00Z`: the moment that names an archive, in UTC and whole seconds. */
export type Slot = string;

/**
 * Normalises a time to a slot, whatever its offset and fraction.
 *
 * @throws InvalidRequestError when it is not an ISO 8601 date and time
 */
export function normaliseSlot(time: string | Date): Slot {
  const moment = typeof time === 'string' ? new Date(time) : time;
  if (
    Number.isNaN(moment.getTime()) ||
    (typeof time === 'string' && !/^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(time))
  ) {
    throw new InvalidRequestError(`slot: expected an ISO time such as 2026-11-21T06:00:00Z, not ${String(time)}`);
  }
  return `${moment.toISOString().slice(0, 19)}Z`;
}

/** `20261121T060000Z`: the slot as part of an object key, where `:` would need escaping; sorts by time. */
export function slotToKey(slot: Slot): string {
  return slot.replaceAll(/[-:]/g, '');
}

/** The slot of a part of a key, or `undefined` when it is not one. */
export function keyToSlot(part: string): Slot | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(part);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
