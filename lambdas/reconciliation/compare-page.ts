import type { ObjectState } from '../../core/billing/object-state';
import { NO_DEFAULTS, type StateDefaults } from '../../core/billing/owner';
import { chargeStates, refundState } from '../../core/providers/stripe/payment-states';
import { purchaseState, subscriptionState } from '../../core/providers/stripe/subscription-states';
import { toStorable } from '../../core/providers/stripe/storable';
import { storeStates } from '../../core/billing/store-states';
import type { StateOrigin } from '../../core/billing/version';
import { runInOrder } from '../../core/database/transaction';
import { messageOf } from '../../core/runtime/errors';
import { differences, isCompared, type ComparedKind, type ComparedState, type Finding } from './differences';
import { localRows, recordFindings } from './records';
import { noteProblem, type Run } from './run';

/** The states that an object of each kind tells of, as the same object would in an event. */
const STATES_OF: Record<ComparedKind, (object: unknown, origin: StateOrigin, of: StateDefaults) => ObjectState[]> = {
  subscription: (object, origin, defaults) => [subscriptionState(object, origin, defaults)],
  purchase: (object, origin, defaults) => [purchaseState(object, origin, defaults)],
  charge: chargeStates,
  refund: (object, origin) => [refundState(object, origin)],
};

/** Objects of one kind, all from one answer of Stripe's. */
export interface Snapshot {
  readonly kind: ComparedKind;
  readonly objects: readonly { readonly id: string }[];
  /** Seconds since 1970; see {@link Page}. */
  readonly requestedAt: number;
}

/**
 * Compares objects with what the database has of them.
 *
 * @returns what stores the corrections and records the findings, in a transaction of the caller's
 */
export async function compare(run: Run, snapshots: readonly Snapshot[]): Promise<() => Promise<void>> {
  const states = snapshots.flatMap((snapshot) => statesOf(run, snapshot)).filter(isCompared);
  const drifted: { state: ComparedState; findings: Finding[] }[] = [];
  for (const [kind, ofKind] of Map.groupBy(states, (state) => state.kind)) {
    const local = await localRows(
      run.client,
      kind,
      ofKind.map(({ row }) => row.id),
    );
    for (const state of ofKind) {
      const findings = differences(state, local.get(state.row.id));
      if (findings.length > 0) drifted.push({ state, findings });
    }
  }
  return async () => {
    if (drifted.length === 0) return;
    const corrected = await correct(
      run,
      drifted.map(({ state }) => state),
    );
    await recordFindings(
      run.client,
      run.id,
      drifted.flatMap(({ findings }) => findings),
      corrected,
    );
    run.counters.drift_detected += drifted.length;
    run.counters.corrected += corrected.size;
  };
}

/** What cannot be read is noted, and keeps nobody else from being compared. */
function statesOf(run: Run, { kind, objects, requestedAt }: Snapshot): ObjectState[] {
  const defaults = run.apply.defaults ?? NO_DEFAULTS;
  return objects.flatMap((object) => {
    try {
      return STATES_OF[kind](toStorable(object), { moment: requestedAt, eventId: '' }, defaults);
    } catch (error) {
      noteProblem(run, `${object.id}: ${messageOf(error)}`);
      return [];
    }
  });
}

/** @returns ids of the objects whose stored state changed; in a dry run none */
async function correct({ client, dryRun, apply }: Run, states: readonly ComparedState[]): Promise<ReadonlySet<string>> {
  if (dryRun) return new Set();
  const run = runInOrder(client);
  const changed = await storeStates(run, states, { afterStore: (ids) => apply.afterStore?.(run, ids, states) });
  return new Set(states.map(({ row }) => row.id).filter((id) => changed.has(id)));
}
