import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import { applyEvents } from '../shared/billing/apply-events';
import { HANDLED_EVENT_TYPES } from '../shared/billing/event-effect';
import { purchaseState, subscriptionState, type ObjectState } from '../shared/billing/states';
import { storeStates } from '../shared/billing/store-states';
import { toStorable } from '../shared/billing/storable';
import { readEvent } from '../shared/billing/stripe-shapes';
import { messageOf, OperationError } from '../shared/errors';
import type { CallStripe } from '../shared/stripe/paced-caller';
import { pages, type Page } from '../shared/stripe/pages';
import type { Log } from '../shared/telemetry';
import { differences, type ComparedKind, type Finding } from './differences';
import {
  beginRun,
  finishRun,
  localRows,
  recordFindings,
  rememberListed,
  unknownEvents,
  unlistedSubscriptions,
  type Counters,
} from './records';

const DAY_MS = 86_400_000;

export interface ReconciliationDependencies {
  /** A connection of the run's own to the billing database. */
  readonly client: ClientBase;
  readonly stripe: Stripe;
  readonly call: CallStripe;
  readonly clock: () => Date;
  readonly log: Log;
}

export interface ReconciliationOptions {
  readonly daysBack: number;
  /** Find and record, but correct nothing. */
  readonly dryRun: boolean;
}

export interface ReconciliationSummary extends Readonly<Counters> {
  readonly runId: string;
  readonly status: 'complete';
  readonly dry_run: boolean;
  readonly durationMs: number;
}

/**
 * Brings the billing database in line with Stripe: events that were never received go through the same application as
 * delivered ones, then every subscription (whatever its status and age) and the purchases of the window are compared
 * field by field. A snapshot is stored under the moment it was requested, so it never overwrites a newer event.
 *
 * @throws OperationError when Stripe or the database fails; the run is then recorded as failed, with the error, and what
 * was corrected until then stays corrected
 */
export async function reconcile(
  dependencies: ReconciliationDependencies,
  { daysBack, dryRun }: ReconciliationOptions,
): Promise<ReconciliationSummary> {
  const { client, clock, log } = dependencies;
  const started = clock();
  const windowStart = new Date(started.getTime() - daysBack * DAY_MS);
  const counters: Counters = {
    events_checked: 0,
    events_missed: 0,
    subscriptions_checked: 0,
    purchases_checked: 0,
    drift_detected: 0,
    corrected: 0,
  };
  const runId = await beginRun(client, windowStart, dryRun);
  const run: Run = {
    ...dependencies,
    runId,
    dryRun,
    counters,
    unreadable: [],
    since: Math.floor(windowStart.getTime() / 1000),
  };
  try {
    await recoverMissedEvents(run);
    await compareSubscriptions(run);
    await comparePurchases(run);
    assertAllWereRead(run.unreadable);
    await finishRun(client, runId, counters);
  } catch (error) {
    await finishRun(client, runId, counters, messageOf(error)).catch((cause: unknown) =>
      log.error('The failure of the run could not be recorded; the next run will', { reason: messageOf(cause) }),
    );
    throw error;
  }
  return { runId, status: 'complete', dry_run: dryRun, ...counters, durationMs: clock().getTime() - started.getTime() };
}

interface Run extends ReconciliationDependencies {
  readonly runId: string;
  readonly dryRun: boolean;
  readonly counters: Counters;
  /** What Stripe listed and could not be understood; the others are compared all the same. */
  readonly unreadable: string[];
  /** Start of the window, in seconds since 1970. */
  readonly since: number;
}

/** A run that could not compare everything is not complete. */
function assertAllWereRead(unreadable: readonly string[]): void {
  if (unreadable.length === 0) return;
  throw new OperationError(
    'reconciliation_incomplete',
    `${unreadable.length} of Stripe's objects could not be read: ${unreadable.slice(0, 5).join('; ')}`,
  );
}

/** `read` applied to each object; those that it refuses are noted instead of ending the run. */
function readable<T>(
  objects: readonly { id: string }[],
  unreadable: string[],
  read: (object: { id: string }) => T,
): T[] {
  return objects.flatMap((object) => {
    try {
      return [read(object)];
    } catch (error) {
      unreadable.push(`${object.id}: ${messageOf(error)}`);
      return [];
    }
  });
}

async function recoverMissedEvents({
  client,
  stripe,
  call,
  clock,
  log,
  runId,
  dryRun,
  counters,
  unreadable,
  since,
}: Run): Promise<void> {
  const list = (page: { limit: number; starting_after?: string }) =>
    stripe.events.list({ ...page, created: { gte: since }, types: [...HANDLED_EVENT_TYPES] });
  for await (const { objects } of pages(call, list)) {
    counters.events_checked += objects.length;
    const unknown = await unknownEvents(
      client,
      objects.map(({ id }) => id),
    );
    const missed = objects.filter(({ id }) => unknown.has(id));
    counters.events_missed += missed.length;
    if (missed.length === 0) continue;
    log.warn('Stripe has events that were never received', { eventIds: missed.map(({ id }) => id) });
    const receivedAt = clock();
    const recovered = new Set<string>();
    if (!dryRun) {
      const events = readable(missed, unreadable, readEvent).map((event) => ({
        event,
        source: 'reconciliation' as const,
        receivedAt,
      }));
      for (const [id, outcome] of await applyEvents(client, events))
        if (outcome.status === 'processed') recovered.add(id);
    }
    const findings = missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: id }));
    await recordFindings(client, runId, findings, recovered);
    counters.drift_detected += missed.length;
    counters.corrected += recovered.size;
  }
}

async function compareSubscriptions(run: Run): Promise<void> {
  const { client, stripe, call, runId, counters } = run;
  // Without `status: all` Stripe leaves out what was canceled; with `created` it leaves out what was made long ago.
  for await (const page of pages(call, (paging) => stripe.subscriptions.list({ ...paging, status: 'all' }))) {
    counters.subscriptions_checked += page.objects.length;
    await rememberListed(
      client,
      page.objects.map(({ id }) => id),
    );
    await comparePage(run, 'subscription', page, subscriptionState);
  }
  const unlisted = await unlistedSubscriptions(client, runId);
  counters.drift_detected += unlisted.length;
  // Nothing is deleted on the strength of an absence: somebody has to look.
  const findings = unlisted.map((id): Finding => ({
    kind: 'missing_at_stripe',
    objectType: 'subscription',
    objectId: id,
  }));
  await recordFindings(client, runId, findings, new Set());
}

async function comparePurchases(run: Run): Promise<void> {
  const { stripe, call, counters, since } = run;
  const list = (paging: { limit: number; starting_after?: string }) =>
    stripe.checkout.sessions.list({ ...paging, created: { gte: since } });
  for await (const { objects, requestedAt } of pages(call, list)) {
    // A session that is still open has bought nothing yet, and one that expired never will.
    const completed = objects.filter((session) => session.status === 'complete');
    counters.purchases_checked += completed.length;
    await comparePage(run, 'purchase', { objects: completed, requestedAt }, purchaseState);
  }
}

async function comparePage(
  { client, runId, dryRun, counters, unreadable }: Run,
  kind: ComparedKind,
  { objects, requestedAt }: Page<{ id: string }>,
  stateOf: (object: unknown, origin: { moment: number; eventId: string }) => ObjectState,
): Promise<void> {
  const states = readable(objects, unreadable, (object) =>
    stateOf(toStorable(object), { moment: requestedAt, eventId: '' }),
  );
  const local = await localRows(
    client,
    kind,
    states.map(({ row }) => row.id),
  );
  const drifted = states
    .map((state) => ({ state, findings: differences(kind, state, local.get(state.row.id)) }))
    .filter(({ findings }) => findings.length > 0);
  if (drifted.length === 0) return;

  await client.query('BEGIN');
  try {
    const run = async (statement: { text: string }, values: unknown[]) =>
      (await client.query<{ id: string }>(statement.text, values)).rows;
    const corrected = dryRun
      ? new Set<string>()
      : await storeStates(
          run,
          drifted.map(({ state }) => state),
        );
    await recordFindings(
      client,
      runId,
      drifted.flatMap(({ findings }) => findings),
      corrected,
    );
    await client.query('COMMIT');
    counters.drift_detected += drifted.length;
    counters.corrected += corrected.size;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
