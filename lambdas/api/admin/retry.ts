import * as z from 'zod';
import { PROVIDER_NAMES, type ProviderName } from '../../../core/providers/contract';
import { type ActionRequest, audited } from '../audited';
import type { ApiDependencies } from '../dependencies';
import { fieldsOf } from '../fields';
import { inspect, retryReport } from './reports';

/** Events of one request: as many as are applied well before API Gateway gives up, at 29 s. */
const BATCH_SIZE = 25;

const eventsForm = 'expected `failed`, or one to 25 ids of events such as evt_123';
const eventId = z.string({ error: eventsForm }).regex(/^evt_[A-Za-z0-9_.-]{1,250}$/, eventsForm);

/** Which events to apply again. */
export const retryRequest = fieldsOf('body', {
  events: z.union([z.literal('failed'), z.array(eventId).min(1, eventsForm).max(BATCH_SIZE, eventsForm)], {
    error: eventsForm,
  }),
  /** Provider of the events that are named. */
  provider: z.enum(PROVIDER_NAMES, { error: `expected ${PROVIDER_NAMES.join(' or ')}` }).default('stripe'),
  /** `next` of the answer before. */
  before: z
    .string({ error: 'expected `next` of the answer before' })
    .regex(/^\d{1,17}\.[!-~]{1,255}$/, 'expected `next` of the answer before')
    .optional(),
});

/** Outcomes that leave an event to look at: those that `ops webhooks retry` exits with a finding for. */
const UNSETTLED = ['failed', 'deferred', 'notFound'] as const;

export interface Retried {
  readonly report: z.infer<typeof retryReport>;
  /** Where all failed events continue; null at the end. */
  readonly next: string | null;
}

/** Applies events again as `ops webhooks retry` does, with a record in the audit log: those named, or the next ones that failed. */
export async function retryEvents(
  dependencies: ApiDependencies,
  request: ActionRequest,
  { events, provider, before }: z.infer<typeof retryRequest>,
): Promise<Retried> {
  if (events !== 'failed') return { report: await apply(dependencies, request, provider, events), next: null };
  const page = await inspect(dependencies, 'events', {
    status: 'failed',
    limit: BATCH_SIZE,
    ...(before && { before }),
  });
  const reports: Retried['report'][] = [];
  for (const each of PROVIDER_NAMES) {
    const ids = page.events.filter((event) => event.provider === each && eventId.safeParse(event.id).success);
    if (ids.length > 0)
      reports.push(
        await apply(
          dependencies,
          request,
          each,
          ids.map(({ id }) => id),
        ),
      );
  }
  return { report: merged(reports), next: page.next };
}

function merged(reports: readonly Retried['report'][]): Retried['report'] {
  const outcomes: Record<string, number> = {};
  for (const [outcome, events] of reports.flatMap((report) => Object.entries(report.outcomes)))
    outcomes[outcome] = (outcomes[outcome] ?? 0) + events;
  return {
    checked: reports.reduce((sum, { checked }) => sum + checked, 0),
    outcomes,
    events: reports.flatMap(({ events }) => events),
  };
}

function apply(
  dependencies: ApiDependencies,
  request: ActionRequest,
  provider: ProviderName,
  events: readonly string[],
): Promise<Retried['report']> {
  return audited(
    dependencies,
    request,
    `retry ${provider === 'stripe' ? '' : `--provider ${provider} `}${events.join(' ')}`,
    async (signal) =>
      retryReport.parse(await dependencies.ask('replay', { action: 'retry', provider, events, dryRun: false }, signal)),
    ({ outcomes }) => UNSETTLED.some((outcome) => (outcomes[outcome] ?? 0) > 0),
  );
}
