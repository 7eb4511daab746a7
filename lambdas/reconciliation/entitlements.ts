import type { ClientBase } from 'pg';
import type { Lane, LanePage } from '../../core/providers/stripe/pages';
import { messageOf } from '../../core/runtime/errors';
import type { ComparedState, Finding } from './differences';
import { readEvidence, type Source } from './evidence';
import { objectsInFlight } from './in-flight';
import { judge } from './judge';
import { OF_STRIPE } from './listed';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import type { Run } from './run';

/** Sources that are judged between two commits: few enough that the time of a run which is up is noticed. */
const AT_ONCE = 5;

const SOURCES: Readonly<Record<Source['kind'], string>> = {
  // Access by a subscription that ended long ago has ended too; rows that say otherwise are looked at. LIMIT makes PostgreSQL
  // look for them one subscription at a time instead of reading all entitlements.
  subscription: `SELECT id FROM billing.subscriptions AS source
    WHERE ${OF_STRIPE} AND (ended_at IS NULL OR ended_at > now() - interval '30 days' OR (
      SELECT true FROM billing.entitlements AS granted
      WHERE granted.source_id = source.id AND granted.valid_until > now() LIMIT 1))`,
  purchase: `SELECT id FROM billing.purchases WHERE ${OF_STRIPE} AND mode = 'payment' AND status = 'complete'`,
};
const KINDS = Object.keys(SOURCES) as Source['kind'][];

/**
 * The sources whose entitlements are computed again from Stripe: a sample, another one each day until all had their turn,
 * or every one. Nothing where there are no rules: nothing grants anything.
 */
export async function entitlementLanes(run: Run): Promise<Lane[]> {
  const { rowCount } = await run.client.query('SELECT FROM billing.entitlement_rules LIMIT 1');
  if (rowCount === 0) return [];
  if (run.entitlements === 'all') return KINDS.map((kind) => ({ kind }));
  if (run.sampledEntitlements === 0) return [];
  const lanes: Lane[] = [];
  for (const kind of KINDS) lanes.push({ kind, ids: await sampleOf(run, kind) });
  return lanes;
}

/** The sources behind the last complete run's, and from the first one again behind the last. */
async function sampleOf(run: Run, kind: Source['kind']): Promise<string[]> {
  const what = `entitlements ${kind}`;
  const some = (condition: string) =>
    idsOf(run.client, `SELECT id FROM (${SOURCES[kind]}) AS source WHERE ${condition} ORDER BY id LIMIT $2`, [
      run.turns.ids[what] ?? '',
      run.sampledEntitlements,
    ]);
  const sample = [...(await some('id > $1')), ...(await some('id <= $1'))].slice(0, run.sampledEntitlements);
  const last = sample.at(-1);
  if (last !== undefined) run.taken.set(what, last);
  return sample;
}

/** The sources of the lanes, some at a time. Ends early when the time of the run is up. */
export async function* sourcesOf(run: Run, lanes: readonly Lane[]): AsyncGenerator<LanePage<Source>> {
  for (const [index, start] of lanes.entries()) {
    for (let lane = start; lane.done !== true;) {
      if (run.stop.aborted) return;
      const ids = await nextIds(run, lane);
      lane = { ...lane, after: ids.at(-1) ?? lane.after, done: ids.length < AT_ONCE };
      const kind = lane.kind as Source['kind'];
      yield { index, next: lane, objects: ids.map((id) => ({ kind, id })), requestedAtSeconds: 0 };
    }
  }
}

async function nextIds({ client }: Run, { kind, ids, after = '' }: Lane): Promise<string[]> {
  if (ids !== undefined) {
    const position = ids.indexOf(after) + 1;
    return ids.slice(position, position + AT_ONCE);
  }
  const sources = SOURCES[kind as Source['kind']];
  return idsOf(client, `SELECT id FROM (${sources}) AS source WHERE id > $1 ORDER BY id LIMIT $2`, [after, AT_ONCE]);
}

/** Computes again from Stripe what the sources of a page grant, and reports those that grant something else. */
export async function compareEntitlements(run: Run, { objects }: LanePage<Source>): Promise<PageOutcome> {
  const findings: Finding[] = [];
  const corrections: ComparedState[] = [];
  const judged = new Map<string, readonly string[]>();
  const problems: string[] = [];
  for (const source of objects) {
    try {
      const evidence = await readEvidence(run, source);
      // Which sources Stripe does not have is found by their lists.
      if (evidence === undefined) continue;
      const isRight = (found: Awaited<ReturnType<typeof judge>>) =>
        found === undefined || sameLines(found.stored, found.byStripe);
      if (isRight(await judge(run.client, source, evidence))) continue;
      if (evidence.states.some(await objectsInFlight(run))) continue;
      // Again: an event may have been applied since.
      const judgement = await judge(run.client, source, evidence);
      if (judgement === undefined || isRight(judgement)) continue;
      findings.push(findingOf(source, judgement.stored, judgement.byStripe));
      corrections.push(...evidence.states);
      judged.set(source.id, judgement.byStripe);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      problems.push(`${source.id}: ${messageOf(error)}`);
    }
  }
  const kinds = { entitlements: { checked: objects.length, drift: findings.length } };
  return { ...NOTHING_FOUND, kinds, findings, corrections, judged, problems };
}

/** Of one object, so that the others can be judged nevertheless. */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && error.name === 'InvalidRequestError';
}

function findingOf({ id }: Source, stored: readonly string[], byStripe: readonly string[]): Finding {
  const only = (lines: readonly string[], others: readonly string[]) =>
    lines.filter((line) => !others.includes(line)).join('\n') || null;
  return {
    kind: 'field_differs',
    objectType: 'entitlements',
    objectId: id,
    field: 'entitlements',
    localValue: only(stored, byStripe),
    stripeValue: only(byStripe, stored),
  };
}

export function sameLines(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index]);
}

async function idsOf(client: ClientBase, text: string, values: unknown[]): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(text, values);
  return rows.map(({ id }) => id);
}
