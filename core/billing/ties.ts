import type { ObjectState } from './object-state';
import { areTied, eventIdsOf, tiedVersion } from './version';

/**
 * Events of one object and one second.
 *
 * Providers count whole seconds, and a second often has several changes of an object. What each event says of the values
 * before it tells their order: the event that changed `past_due` to `active` came behind the one that left `past_due`. Where
 * that does not decide, the usual order of statuses does for now, and the object has to be read from the provider again.
 */
export interface NewestState {
  /** The newest state of the object that is known here; its version names every event that it was chosen from. */
  readonly state: ObjectState;
  /** The states of the events of its second, the chosen one among them, with the versions that they had. */
  readonly contenders: readonly ObjectState[];
  /** False when nothing tells which of them is the newest. */
  readonly decided: boolean;
}

/** More events of one second are not put in order: the search takes 2ⁿ steps. */
const LONGEST_SEARCH = 12;

/** The newest state of every object of the given states. They are of one kind. */
export function newestStates(states: readonly ObjectState[]): NewestState[] {
  const newest = new Map<string, ObjectState[]>();
  for (const state of states) {
    const known = newest.get(state.row.id);
    const version = known?.[0]?.row.version;
    if (known === undefined || version === undefined) newest.set(state.row.id, [state]);
    else if (areTied(version, state.row.version)) known.push(state);
    else if (state.row.version > version) newest.set(state.row.id, [state]);
  }
  return [...newest.values()].map(chooseNewest);
}

/**
 * The newest of the states of one object's events of one second. The answer depends on the set of states only, not on their
 * order.
 */
export function chooseNewest(states: readonly ObjectState[]): NewestState {
  const [first] = states as [ObjectState];
  if (states.length === 1) return { state: first, contenders: states, decided: true };
  const contenders = [...new Map(states.map((state) => [state.row.version, state])).values()].toSorted((a, b) =>
    a.row.version < b.row.version ? -1 : 1,
  );
  if (contenders.length === 1) return { state: first, contenders, decided: true };
  const { latest, decided } = latestOf(contenders);
  const version = tiedVersion(contenders.map(({ row }) => row.version));
  // The kind and the row belong together, which TypeScript cannot see through the spread.
  const state = { ...latest, row: { ...latest.row, version } } as ObjectState;
  return { state, contenders, decided };
}

/** @param states in the order of their versions */
function latestOf(states: readonly ObjectState[]): { latest: ObjectState; decided: boolean } {
  const created = states.filter(({ before }) => before === null);
  const changed = states.filter(({ before }) => before !== null);
  const candidates = changed.length === 0 ? created : changed;
  const ends = endsOfOrders(created, changed) ?? unsurpassed(candidates);
  const possible = ends.length === 0 ? candidates : ends;
  const latest = possible.at(-1) as ObjectState;
  const others = possible.filter((state) => !alike(state.row.raw, latest.row.raw));
  const decided = others.every((other) => other.before === undefined && rankPart(other) < rankPart(latest));
  return { latest, decided: decided && (others.length === 0 || latest.before === undefined) };
}

function rankPart({ row: { version } }: ObjectState): string {
  return version.slice(0, version.length - eventIdsOf(version).join(' ').length);
}

/**
 * The last states of all orders in which each event found the object exactly as the one before it had left it; `undefined`
 * when there is no such order, as while an event between them has not arrived.
 */
function endsOfOrders(created: readonly ObjectState[], changed: readonly ObjectState[]): ObjectState[] | undefined {
  const told = changed.filter((state) => state.before !== undefined);
  // An event that does not say what it changed, such as `invoice.paid`, is left out where another one left the same object.
  const untold = changed.filter((state) => state.before === undefined);
  const explained = untold.every(({ row }) => told.some((state) => alike(state.row.raw, row.raw)));
  if (told.length > LONGEST_SEARCH) return told;
  if (!explained || told.length === 0) return undefined;
  const former = told.map(({ row, before }) => overlay(row.raw, before));
  const follows = told.map((_, next) => told.map(({ row }) => alike(former[next], row.raw)));
  const isFirst = (index: number) => created.every(({ row }) => alike(former[index], row.raw));
  const all = 2 ** told.length - 1;
  const ends = new Set<ObjectState>();
  const walked = new Set<number>();
  /** @param visited one bit for each event that is in the order so far */
  const walk = (last: number, visited: number): void => {
    const place = visited * told.length + last;
    if (walked.has(place)) return;
    walked.add(place);
    if (visited === all) ends.add(told[last] as ObjectState);
    told.forEach((_, next) => {
      if ((visited & (1 << next)) === 0 && follows[next]?.[last]) walk(next, visited | (1 << next));
    });
  };
  told.forEach((_, index) => {
    if (isFirst(index)) walk(index, 1 << index);
  });
  return ends.size === 0 ? undefined : told.filter((state) => ends.has(state));
}

/** The states that no other event of the second changed. */
function unsurpassed(states: readonly ObjectState[]): ObjectState[] {
  const changes = (next: ObjectState, state: ObjectState) =>
    next !== state && next.before != null && matches(next.before, state.row.raw);
  return states.filter((state) => !states.some((next) => changes(next, state) && !changes(state, next)));
}

type JsonObject = Readonly<Record<string, unknown>>;

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` has what `named` names, wherever it names something. A field that is absent is null. */
function matches(named: unknown, value: unknown): boolean {
  if (isJsonObject(named) && isJsonObject(value)) {
    return Object.keys(named).every((key) => matches(named[key], value[key]));
  }
  if (Array.isArray(named) && Array.isArray(value)) {
    return named.length === value.length && named.every((element, index) => matches(element, value[index]));
  }
  return alike(named, value);
}

/** Whether two JSON values are the same. A field that is absent is null. */
function alike(a: unknown, b: unknown): boolean {
  if (isJsonObject(a) && isJsonObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => alike(a[key], b[key]));
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((element, index) => alike(element, b[index]));
  }
  return (a ?? null) === (b ?? null);
}

/** The value with what `named` names in place of its own. */
function overlay(value: unknown, named: unknown): unknown {
  if (!isJsonObject(value) || !isJsonObject(named)) return named;
  return { ...value, ...Object.fromEntries(Object.keys(named).map((key) => [key, overlay(value[key], named[key])])) };
}
