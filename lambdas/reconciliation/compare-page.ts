import type Stripe from 'stripe';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { readSnapshot, snapshotStates } from '../../core/providers/stripe/snapshots';
import { compare, readObjects, type ListedObjects } from './compare';
import { correctionOf, type ComparedState } from './differences';
import { objectsInFlight } from './in-flight';
import type { PageOutcome } from './page-outcome';
import { storedRows } from './records';
import type { Run } from './run';

/**
 * Compares objects of Stripe's with the rows that the database has of them. One that an event changed which is still on its
 * way is left to that event, or to the next run.
 */
export async function compareWithDatabase(
  run: Run,
  page: ListedObjects,
  requestedAtSeconds: number,
): Promise<PageOutcome> {
  const objects = readObjects(page, requestedAtSeconds, run.apply.defaults ?? NO_DEFAULTS);
  let stored = await storedRows(run.client, objects.states);
  let outcome = compare(objects, stored);
  if (outcome.findings.length > 0) {
    const isInFlight = await objectsInFlight(run);
    // Again: an event may have been applied since.
    stored = await storedRows(run.client, objects.states);
    outcome = compare({ ...objects, states: objects.states.filter((state) => !isInFlight(state)) }, stored);
  }
  const corrections: ComparedState[] = [];
  for (const correction of outcome.corrections) {
    const whole = await wholeInvoice(run, correction);
    corrections.push(correctionOf(whole, stored.get(whole.kind)?.get(whole.row.id)));
  }
  return { ...outcome, corrections };
}

/** A list carries the first lines of an invoice; stored alone, they would make what the others paid for unpaid. */
async function wholeInvoice(run: Run, correction: ComparedState): Promise<ComparedState> {
  if (correction.kind !== 'invoice') return correction;
  const { id, raw } = correction.row;
  if (!(raw as Stripe.Invoice).lines?.has_more) return correction;
  const snapshot = await readSnapshot(run, 'invoice', id);
  if (snapshot === undefined) return correction;
  const [state] = snapshotStates('invoice', snapshot, run.apply.defaults ?? NO_DEFAULTS);
  return (state as ComparedState | undefined) ?? correction;
}
