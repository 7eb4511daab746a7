import type Stripe from 'stripe';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { readSnapshot, snapshotStates } from '../../core/providers/stripe/snapshots';
import { compare, readObjects, type ListedObjects } from './compare';
import { correctionOf, type ComparedState } from './differences';
import type { PageOutcome } from './page-outcome';
import { storedRows } from './records';
import type { Run } from './run';

/** Compares objects of Stripe's with the rows that the database has of them. */
export async function compareWithDatabase(
  run: Run,
  page: ListedObjects,
  requestedAtSeconds: number,
): Promise<PageOutcome> {
  const objects = readObjects(page, requestedAtSeconds, run.apply.defaults ?? NO_DEFAULTS);
  const stored = await storedRows(run.client, objects.states);
  const outcome = compare(objects, stored);
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
