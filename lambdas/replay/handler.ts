import { SQSClient } from '@aws-sdk/client-sqs';
import type { Context } from 'aws-lambda';
import { readEnvironment, readRequest, setting } from '../../core/runtime/environment';
import {
  createStripeFunction,
  stripeFunctionSettings,
  type StripeInvocation,
} from '../../core/providers/stripe/stripe-function';
import { MetricUnit } from '../../core/runtime/telemetry';
import { REPLAY_METRICS, type EventsReport, type RedriveReport } from './contract';
import { walkRange } from './event-range';
import { redrive } from './redrive';
import { replayRequest, type CheckedRequest } from './request';
import { retryEvents, retryFailed } from './retry';

const environment = readEnvironment({
  ...stripeFunctionSettings,
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  DEAD_LETTER_QUEUE_URL: setting.url('the URL of an SQS queue'),
});
const { invoke, log, metrics } = createStripeFunction('replay', environment);
const sqs = new SQSClient({});

/** Finds gaps in what was received, and applies events again: single ones, all that failed, a range, or what is parked. */
export function handler(request: unknown, context: Context): Promise<EventsReport | RedriveReport> {
  return invoke(context, REPLAY_METRICS.failed, async (invocation) => {
    const wanted = readRequest(replayRequest, request);
    return wanted.action === 'redrive' ? moveParked(wanted, invocation) : applyAgain(wanted, invocation);
  });
}

async function moveParked(
  wanted: Extract<CheckedRequest, { action: 'redrive' }>,
  { stop }: StripeInvocation,
): Promise<RedriveReport> {
  const { QUEUE_URL: queueUrl, DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl } = environment;
  const report = await redrive({ sqs, queueUrl, deadLetterQueueUrl, stop }, wanted);
  log.info('Parked messages were moved back', { ...report });
  metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, report.moved);
  return report;
}

async function applyAgain(
  wanted: Exclude<CheckedRequest, { action: 'redrive' }>,
  { useStripe }: StripeInvocation,
): Promise<EventsReport> {
  const report = await useStripe((dependencies) => {
    if (wanted.action !== 'retry') return walkRange(dependencies, { dryRun: true, ...wanted });
    const { events, ...options } = wanted;
    return events === 'failed' ? retryFailed(dependencies, options) : retryEvents(dependencies, { events, ...options });
  });
  const { action, dry_run, checked, outcomes } = report;
  log.info('Events were looked at', { action, dry_run, checked, outcomes });
  metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, outcomes.processed ?? 0);
  if (action !== 'gaps') metrics.addMetric(REPLAY_METRICS.eventsFailed, MetricUnit.Count, outcomes.failed ?? 0);
  return report;
}
