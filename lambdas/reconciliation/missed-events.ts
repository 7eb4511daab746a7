import type { EventOutcome } from '../../core/billing/apply-events';
import type { ProviderName } from '../../core/providers/contract';
import { applyFoundEvents } from '../../core/providers/found-events';
import { ownedId } from '../../core/providers/tilled/name';
import type { Finding } from './differences';
import { NOTHING_FOUND, type Compared, type PageOutcome } from './page-outcome';
import { unknownEvents } from './records';
import type { Run } from './run';

const NOT_APPLIED: ReadonlyMap<string, EventOutcome> = new Map();

/** How a provider's missed events are counted, and named in findings. */
const COUNTED = {
  stripe: { title: 'Stripe', kind: 'event', findingId: (id: string) => id },
  // Ids of both providers begin alike.
  tilled: { title: 'Tilled', kind: 'tilled_event', findingId: ownedId },
} as const satisfies Readonly<
  Record<ProviderName, { readonly title: string; readonly kind: Compared; readonly findingId: (id: string) => string }>
>;

/**
 * Applies the events of a page that the ledger lacks, as if they had been delivered. They commit with their ledger rows,
 * before the page does. A run that is killed in between applies none twice, and its findings lack them; `source` in the
 * ledger still says that reconciliation found them.
 */
export async function recoverMissedEvents(
  run: Run,
  provider: ProviderName,
  listed: readonly { readonly id: string }[],
): Promise<PageOutcome> {
  const ids = listed.map(({ id }) => id);
  const unknown = await unknownEvents(run.client, ids, provider);
  const missed = listed.filter(({ id }) => unknown.has(id));
  if (missed.length > 0) {
    run.log.warn(`${COUNTED[provider].title} has events that were never received`, {
      eventIds: missed.map(({ id }) => id),
    });
  }
  const outcomes = run.dryRun ? NOT_APPLIED : await applyFoundEvents(run, provider, missed);
  return missedEvents(provider, listed.length, missed, outcomes);
}

function missedEvents(
  provider: ProviderName,
  checked: number,
  missed: readonly { readonly id: string }[],
  outcomes: ReadonlyMap<string, EventOutcome>,
): PageOutcome {
  const { kind, findingId } = COUNTED[provider];
  const recovered = [...outcomes].filter(([, { status }]) => status === 'processed');
  return {
    ...NOTHING_FOUND,
    counts: { eventsChecked: checked, eventsMissed: missed.length },
    kinds: { [kind]: { checked, drift: missed.length } },
    findings: missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: findingId(id) })),
    recoveredEvents: recovered.map(([id]) => findingId(id)),
    problems: [...outcomes].flatMap(([id, outcome]) =>
      outcome.status === 'failed' || outcome.status === 'deferred' ? [`${findingId(id)}: ${outcome.error}`] : [],
    ),
  };
}
