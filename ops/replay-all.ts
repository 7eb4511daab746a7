import type { EventOutcomeName, EventsReport, RedriveReport, ReplayRequest } from '../lambdas/replay/contract';
import type { CommandResult } from './command';
import type { Context } from './context';
import { table } from './print/table';
import { counted } from './print/units';

/** Events that a report names at most, as one answer of the function does. */
const MAX_NAMED = 200;

/**
 * Asks the replay function for events until it has been through all of them: an answer that ran out of time holds the
 * request that continues.
 */
export async function replayAll(
  { invoke, note, signal }: Pick<Context, 'invoke' | 'note' | 'signal'>,
  first: ReplayRequest,
): Promise<EventsReport> {
  const { EVENT_ACTIONS: contract } = await import('../lambdas/replay/contract');
  let request: ReplayRequest | undefined = first;
  let whole: EventsReport | undefined;
  while (request !== undefined) {
    signal.throwIfAborted();
    const report: EventsReport | RedriveReport = await invoke('replay', contract, request);
    if (report.action === 'redrive') throw new Error('The replay function answered with the report of a redrive');
    const { next, ...part }: EventsReport = report;
    whole = whole === undefined ? part : merged(whole, part);
    request = next;
    if (next !== undefined) note(`${counted(whole.checked, 'event')} looked at; the time was up, continuing`);
  }
  if (whole === undefined) throw new Error('The replay function was not asked anything');
  return whole;
}

function merged(one: EventsReport, other: EventsReport): EventsReport {
  const outcomes: Record<string, number> = { ...one.outcomes };
  for (const [outcome, count] of Object.entries(other.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  const events = [...one.events, ...other.events].slice(0, MAX_NAMED);
  return { ...one, checked: one.checked + other.checked, outcomes, events };
}

/** What the outcomes of the contract are called in the output. */
const OUTCOMES: Readonly<Record<EventOutcomeName, string>> = {
  processed: 'applied',
  alreadyProcessed: 'applied before',
  ignored: 'not acted on',
  failed: 'failed',
  deferred: 'cannot be applied now; try again',
  dismissed: 'dismissed',
  wouldApply: 'would be applied',
  wouldDismiss: 'would be dismissed',
  missing: 'missing here',
  notFound: 'found nowhere',
};

/** Outcomes that need attention. */
const FINDINGS = ['failed', 'deferred', 'missing', 'notFound'] as const;

/** A report on events for people; a finding where an event is missing or could not be applied. */
export function describeEvents(report: EventsReport, { style }: Pick<Context, 'style'>): CommandResult {
  const { checked, outcomes, events } = report;
  const counts = Object.entries(outcomes).map(
    ([outcome, count]) => `${count} ${OUTCOMES[outcome as EventOutcomeName]}`,
  );
  const rows = events.map(({ id, type, created, outcome, error }) => [
    id,
    type,
    created,
    OUTCOMES[outcome],
    error ?? '',
  ]);
  return {
    report,
    lines: [
      `${counted(checked, 'event')} looked at${counts.length === 0 ? '' : `: ${counts.join(', ')}`}`,
      ...(rows.length === 0 ? [] : table(['event', 'type', 'created', 'outcome', 'error'], rows, style)),
    ],
    exit: FINDINGS.some((outcome) => (outcomes[outcome] ?? 0) > 0) ? 'finding' : 'done',
  };
}
