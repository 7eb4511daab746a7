import type { ClientBase } from 'pg';
import type { ObjectState } from '../../core/billing/object-state';
import { NO_DEFAULTS, type StateDefaults } from '../../core/billing/owner';
import type { StateOrigin } from '../../core/billing/version';
import { chargeStates, refundState } from '../../core/providers/stripe/payment-states';
import { toStorable } from '../../core/providers/stripe/storable';
import { purchaseState, subscriptionState } from '../../core/providers/stripe/subscription-states';
import { messageOf } from '../../core/runtime/errors';
import {
  differences,
  isCompared,
  type ComparedKind,
  type ComparedState,
  type Finding,
  type LocalRow,
} from './differences';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { localRows } from './records';
import type { Run } from './run';

/** The states that an object of each kind implies, as the same object would in an event. */
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

/** Compares objects with their rows. An object that cannot be read is a problem of its own; the others are compared. */
export async function compareSnapshots(
  { client, apply }: Pick<Run, 'client' | 'apply'>,
  snapshots: readonly Snapshot[],
): Promise<PageOutcome> {
  const read = snapshots.map((snapshot) => readStates(snapshot, apply.defaults ?? NO_DEFAULTS));
  const states = read.flatMap((snapshot) => snapshot.states);
  const { corrections, findings } = compareStates(states, await rowsOf(client, states));
  return {
    ...NOTHING_FOUND,
    counts: { drift_detected: corrections.length },
    corrections,
    findings,
    problems: read.flatMap(({ problems }) => problems),
  };
}

export interface Comparison {
  /** States that differ from their rows, in the order given. */
  readonly corrections: readonly ComparedState[];
  /** One for each field that differs, and one for each object without a row. */
  readonly findings: readonly Finding[];
}

/** @param rows of each kind by id, see {@link LocalRow} */
export function compareStates(
  states: readonly ComparedState[],
  rows: ReadonlyMap<ComparedKind, ReadonlyMap<string, LocalRow>>,
): Comparison {
  const compared = states.map((state) => ({
    state,
    findings: differences(state, rows.get(state.kind)?.get(state.row.id)),
  }));
  const drifted = compared.filter(({ findings }) => findings.length > 0);
  return {
    corrections: drifted.map(({ state }) => state),
    findings: drifted.flatMap(({ findings }) => findings),
  };
}

function readStates(
  { kind, objects, requestedAt }: Snapshot,
  defaults: StateDefaults,
): { readonly states: ComparedState[]; readonly problems: string[] } {
  const states: ComparedState[] = [];
  const problems: string[] = [];
  for (const object of objects) {
    try {
      const origin = { moment: requestedAt, eventId: '' };
      states.push(...STATES_OF[kind](toStorable(object), origin, defaults).filter(isCompared));
    } catch (error) {
      problems.push(`${object.id}: ${messageOf(error)}`);
    }
  }
  return { states, problems };
}

async function rowsOf(
  client: ClientBase,
  states: readonly ComparedState[],
): Promise<Map<ComparedKind, Map<string, LocalRow>>> {
  const rows = new Map<ComparedKind, Map<string, LocalRow>>();
  for (const [kind, ofKind] of Map.groupBy(states, (state) => state.kind)) {
    const ids = ofKind.map(({ row }) => row.id);
    rows.set(kind, await localRows(client, kind, ids));
  }
  return rows;
}
