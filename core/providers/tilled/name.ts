/** Tilled, as the ledger, the queue and the endpoint's path name it. */
export const TILLED = 'tilled';

/**
 * The id of a Tilled object in the tables of objects, which all providers share: `tilled:sub_123`. Stripe's ids begin as
 * Tilled's do, and have no colon. Null stays null.
 */
export function ownedId(id: string): string;
export function ownedId(id: string | null | undefined): string | null;
export function ownedId(id: string | null | undefined): string | null {
  return id == null ? null : `${TILLED}:${id}`;
}
