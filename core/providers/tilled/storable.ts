import { toStorable as withoutCards } from '../stripe/storable';
import type { TilledEvent } from './shapes';

/** Fields that hold bank accounts, documents and addresses, or grant access to a payment, at any depth. */
const DROPPED = new Set([
  'bank_accounts',
  'document_requests',
  'billing_details',
  'ach_debit',
  'eft_debit',
  'terminal_readers',
]);

/**
 * The event without what must not be stored: bank accounts, documents, billing addresses, client secrets, and of a card all but
 * brand, last four and expiry.
 *
 * @throws InvalidRequestError when it is nested deeper than 60 levels
 */
export function toStorable(event: TilledEvent): TilledEvent {
  // Cards first: that also bounds the depth.
  return pruned(withoutCards(event)) as TilledEvent;
}

function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, element]) => (DROPPED.has(key) ? [] : [[key, pruned(element)]])),
  );
}
