import { SQSClient } from '@aws-sdk/client-sqs';
import {
  createStripeFunction,
  stripeFunctionSettings,
  tilledApiSettings,
} from '../../core/providers/stripe/stripe-function';
import { readEnvironment, setting } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { MetricUnit } from '../../core/runtime/telemetry';
import { contract, REPLAY_METRICS } from './contract';
import { replay } from './core';

const environment = readEnvironment({
  ...stripeFunctionSettings,
  ...tilledApiSettings,
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  DEAD_LETTER_QUEUE_URL: setting.url('the URL of an SQS queue'),
});
const { telemetry, useStripe, reserveMs } = createStripeFunction('replay', environment);
const queues = {
  sqs: new SQSClient({}),
  queueUrl: environment.QUEUE_URL,
  deadLetterQueueUrl: environment.DEAD_LETTER_QUEUE_URL,
};

/** Finds gaps in what was received, applies events again – single ones, all that failed, a range, or what is parked –, and deletes parked messages that are none. */
export const handler = operation(contract, {
  name: 'Replay',
  telemetry,
  reserveMs,
  run: (request, { stop }) =>
    replay({ ...queues, stop, useStripe: (work, key) => useStripe(stop, work, key) }, request),
  summarise: (report) => {
    if (report.action === 'check') return { message: 'Stripe checked' };
    if (report.action === 'redrive') return { message: 'Parked messages moved back' };
    if (report.action === 'discard') return { message: 'Parked messages deleted', details: { ...report } };
    const { action, dryRun, checked, outcomes } = report;
    const message = action === 'dismiss' ? 'Events dismissed' : 'Events applied again';
    return { message, details: { action, dryRun, checked, outcomes } };
  },
  measure: (metrics, report) => {
    if (report.action === 'check' || report.action === 'discard') return;
    if (report.action === 'redrive') {
      metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, report.moved);
      return;
    }
    const { processed = 0, failed = 0 } = report.outcomes;
    metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, processed);
    if (report.action !== 'gaps' && !report.dryRun)
      metrics.addMetric(REPLAY_METRICS.eventsFailed, MetricUnit.Count, failed);
  },
  failedMetric: REPLAY_METRICS.failed,
});
