import type Stripe from 'stripe';
import type { Lane, LanePage } from '../../core/providers/stripe/pages';
import { readSnapshot, type Snapshot } from '../../core/providers/stripe/snapshots';
import { compareWithDatabase } from './compare-page';
import type { Finding } from './differences';
import { COMPARED_KINDS, type ComparedKind } from './kinds';
import { takeTurn, testClocksOf, unlistedIds, unsettledIds } from './listed';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import type { Run } from './run';

/**
 * Most objects of each kind that a run reads one by one, a call each. Of more, the others have their turn in the next runs. Higher
 * settles more old objects a day and takes more of Stripe's rate limit: 100 of each kind take 44 s at 25 calls a second.
 */
export const READ_ONE_BY_ONE = 100;

/** Objects that are read at once, and committed together. */
const AT_ONCE = 10;

/** An object that was asked for; without a snapshot, Stripe does not have it. */
export interface Single {
  readonly id: string;
  readonly snapshot: Snapshot | undefined;
}

/**
 * The lanes of what no list showed: rows that should have been listed, and older ones that may still change.
 *
 * @returns one lane for each kind that has any
 */
export async function singleLanes(run: Run): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (const kind of COMPARED_KINDS) {
    const unlisted = takeTurn(run, `unlisted ${kind}`, await unlistedIds(run, kind), READ_ONE_BY_ONE);
    const left = READ_ONE_BY_ONE - unlisted.length;
    const unsettled = left > 0 ? takeTurn(run, `unsettled ${kind}`, await unsettledIds(run, kind), left) : [];
    const ids = [...unlisted, ...unsettled];
    if (ids.length > 0) lanes.push({ kind, ids });
  }
  return lanes;
}

/** The objects of the lanes as they are at Stripe, some at a time. Ends early when the time of the run is up. */
export async function* readSingles(run: Run, lanes: readonly Lane[]): AsyncGenerator<LanePage<Single>> {
  for (const [index, start] of lanes.entries()) {
    const { ids = [], kind } = start;
    let lane = start;
    for (let position = ids.indexOf(lane.after ?? '') + 1; position < ids.length; position += AT_ONCE) {
      const next = ids.slice(position, position + AT_ONCE);
      const read = next.map(async (id): Promise<Single> => ({
        id,
        snapshot: await readSnapshot(run, kind as ComparedKind, id),
      }));
      const objects = await Promise.race([Promise.all(read), aborted(run.stop)]);
      if (objects === undefined) return;
      const [requestedAtSeconds = 0] = objects
        .flatMap(({ snapshot }) => snapshot?.requestedAtSeconds ?? [])
        .toSorted((a, b) => a - b);
      lane = { ...lane, after: next.at(-1), done: position + AT_ONCE >= ids.length };
      yield { index, next: lane, objects, requestedAtSeconds };
    }
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** Compares objects that were read one by one. Those that Stripe does not have are reported, and stay as they are. */
export async function compareSingles(
  run: Run,
  { objects, requestedAtSeconds, next }: LanePage<Single>,
): Promise<PageOutcome> {
  const kind = next.kind as ComparedKind;
  const found = objects.flatMap(({ snapshot }) => (snapshot === undefined ? [] : [snapshot.object as Stripe.Event]));
  const missing = objects.filter(({ snapshot }) => snapshot === undefined).map(({ id }) => id);
  const compared = await compareWithDatabase(run, { [kind]: found }, requestedAtSeconds);
  const reported = await missingAtStripe(run, kind, missing);
  return {
    ...compared,
    kinds: { [kind]: { checked: objects.length, drift: (compared.kinds[kind]?.drift ?? 0) + reported.length } },
    findings: [...compared.findings, ...reported],
    listed: [{ kind, ids: objects.map(({ id }) => id) }],
  };
}

/** Reports the rows that neither a list nor a request for the single object showed. */
export async function reportUnlisted(run: Run): Promise<PageOutcome> {
  const findings: Finding[] = [];
  const kinds: Partial<Record<ComparedKind, { checked: number; drift: number }>> = {};
  for (const kind of COMPARED_KINDS) {
    const missing = await missingAtStripe(run, kind, await unlistedIds(run, kind));
    if (missing.length > 0) kinds[kind] = { checked: 0, drift: missing.length };
    findings.push(...missing);
  }
  return { ...NOTHING_FOUND, kinds, findings };
}

/** What belonged to a test clock was deleted with it, which is no fault. */
async function missingAtStripe({ client }: Run, kind: ComparedKind, ids: readonly string[]): Promise<Finding[]> {
  const clocked = await testClocksOf(client, kind, ids);
  return ids
    .filter((id) => !clocked.has(id))
    .map((objectId) => ({ kind: 'missing_at_stripe', objectType: kind, objectId }));
}
