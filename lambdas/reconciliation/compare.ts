import type { StateDefaults } from '../../core/billing/owner';
import { snapshotStates } from '../../core/providers/stripe/snapshots';
import { messageOf } from '../../core/runtime/errors';
import type { CounterName } from './counters';
import { correctionOf, differences, type ComparedState, type StoredRow } from './differences';
import { COMPARED_KINDS, KINDS, type ComparedKind } from './kinds';
import { NOTHING_FOUND, type KindCount, type KindCounts, type PageOutcome } from './page-outcome';

/** Objects of one page of Stripe's, by kind. */
export type ListedObjects = { readonly [Kind in ComparedKind]?: readonly { readonly id: string }[] };

/** What the database has of the objects that are compared: rows by id, by kind. */
export type StoredRows = ReadonlyMap<ComparedKind, ReadonlyMap<string, StoredRow>>;

/** Objects of a page as rows that can be compared and stored. */
export interface ReadObjects {
  readonly states: readonly ComparedState[];
  readonly counts: PageOutcome['counts'];
  /** Objects of the page by kind, readable or not. */
  readonly listed: ReadonlyMap<ComparedKind, number>;
  /** Objects that cannot be read, each with its reason. */
  readonly problems: readonly string[];
}

/**
 * Reads the objects of a page. One that cannot be read becomes a problem; the others are compared nevertheless.
 *
 * @param requestedAtSeconds when the page was requested: the objects are at least as new
 */
export function readObjects(page: ListedObjects, requestedAtSeconds: number, defaults: StateDefaults): ReadObjects {
  const states: ComparedState[] = [];
  const problems: string[] = [];
  const counts: { [Name in CounterName]?: number } = {};
  const listed = new Map<ComparedKind, number>();
  for (const kind of COMPARED_KINDS) {
    const objects = page[kind];
    if (objects === undefined) continue;
    const { counter } = KINDS[kind];
    if (counter !== undefined) counts[counter] = objects.length;
    listed.set(kind, objects.length);
    for (const object of objects) {
      try {
        states.push(...(snapshotStates(kind, { object, requestedAtSeconds }, defaults) as ComparedState[]));
      } catch (error) {
        problems.push(`${object.id}: ${messageOf(error)}`);
      }
    }
  }
  return { states, counts, listed, problems };
}

/**
 * Compares the objects of a page with the rows that the database has of them.
 *
 * @returns the states that differ, which correct the rows once they are stored, and a finding for each difference
 */
export function compare({ states, counts, listed, problems }: ReadObjects, stored: StoredRows): PageOutcome {
  const differing = states
    .map((state) => {
      const row = stored.get(state.kind)?.get(state.row.id);
      return { correction: correctionOf(state, row), findings: differences(state, row) };
    })
    .filter(({ findings }) => findings.length > 0);
  const corrections = differing.map(({ correction }) => correction);
  return {
    ...NOTHING_FOUND,
    counts,
    kinds: kindCounts(listed, corrections),
    findings: differing.flatMap(({ findings }) => findings),
    corrections,
    problems,
  };
}

function kindCounts(listed: ReadObjects['listed'], corrections: readonly ComparedState[]): KindCounts {
  const drifted = Map.groupBy(corrections, ({ kind }) => kind);
  const kinds = new Set([...listed.keys(), ...drifted.keys()]);
  const counts = [...kinds].map((kind): [ComparedKind, KindCount] => [
    kind,
    { checked: listed.get(kind) ?? 0, drift: drifted.get(kind)?.length ?? 0 },
  ]);
  return Object.fromEntries(counts);
}
