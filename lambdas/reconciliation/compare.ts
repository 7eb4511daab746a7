import type { ObjectState } from '../../core/billing/object-state';
import type { StateDefaults } from '../../core/billing/owner';
import type { StateOrigin } from '../../core/billing/version';
import { chargeStates, refundState } from '../../core/providers/stripe/payment-states';
import { toStorable } from '../../core/providers/stripe/storable';
import { purchaseState, subscriptionState } from '../../core/providers/stripe/subscription-states';
import { messageOf } from '../../core/runtime/errors';
import { COMPARED_KINDS, differences, type ComparedKind, type ComparedState, type StoredRow } from './differences';
import { NOTHING_FOUND, type CounterName, type PageOutcome } from './page-outcome';

/** Objects of one page of Stripe's, by kind. */
export type ListedObjects = { readonly [Kind in ComparedKind]?: readonly { readonly id: string }[] };

/** What the database has of the objects that are compared: rows by id, by kind. */
export type StoredRows = ReadonlyMap<ComparedKind, ReadonlyMap<string, StoredRow>>;

/** Objects of a page as rows that can be compared and stored. */
export interface ReadObjects {
  readonly states: readonly ComparedState[];
  readonly counts: PageOutcome['counts'];
  /** Objects that cannot be read, each with its reason. */
  readonly problems: readonly string[];
}

interface KindOfObject {
  /** The states that an event about the same object would have. */
  readonly statesOf: (object: unknown, origin: StateOrigin, defaults: StateDefaults) => readonly ObjectState[];
  /** @default none; only the objects that a refund belongs to are counted */
  readonly counter?: CounterName;
}

const KINDS: Readonly<Record<ComparedKind, KindOfObject>> = {
  subscription: {
    statesOf: (object, origin, defaults) => [subscriptionState(object, origin, defaults)],
    counter: 'subscriptions_checked',
  },
  purchase: {
    statesOf: (object, origin, defaults) => [purchaseState(object, origin, defaults)],
    counter: 'purchases_checked',
  },
  charge: { statesOf: chargeStates, counter: 'chargesChecked' },
  refund: { statesOf: (object, origin) => [refundState(object, origin)] },
};

/**
 * Reads the objects of a page. One that cannot be read becomes a problem; the others are compared nevertheless.
 *
 * @param requestedAtSeconds when the page was requested: the objects are at least as new
 */
export function readObjects(listed: ListedObjects, requestedAtSeconds: number, defaults: StateDefaults): ReadObjects {
  const origin: StateOrigin = { moment: requestedAtSeconds, eventId: '' };
  const states: ComparedState[] = [];
  const problems: string[] = [];
  const counts: { [Name in CounterName]?: number } = {};
  for (const kind of COMPARED_KINDS) {
    const { statesOf, counter } = KINDS[kind];
    const objects = listed[kind] ?? [];
    if (counter !== undefined) counts[counter] = objects.length;
    for (const object of objects) {
      try {
        states.push(...statesOf(toStorable(object), origin, defaults).filter(isCompared));
      } catch (error) {
        problems.push(`${object.id}: ${messageOf(error)}`);
      }
    }
  }
  return { states, counts, problems };
}

function isCompared(state: ObjectState): state is ComparedState {
  return COMPARED_KINDS.some((kind) => kind === state.kind);
}

/**
 * Compares the objects of a page with the rows that the database has of them.
 *
 * @returns the states that differ, which correct the rows once they are stored, and a finding for each difference
 */
export function compare({ states, counts, problems }: ReadObjects, stored: StoredRows): PageOutcome {
  const compared = states.map((state) => ({
    state,
    findings: differences(state, stored.get(state.kind)?.get(state.row.id)),
  }));
  const corrections = compared.filter(({ findings }) => findings.length > 0).map(({ state }) => state);
  return {
    ...NOTHING_FOUND,
    counts: { ...counts, drift_detected: corrections.length },
    findings: compared.flatMap(({ findings }) => findings),
    corrections,
    problems,
  };
}
