import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import * as z from 'zod';
import { appOf, boundedNames, typeLabel } from '../../core/providers/stripe/event-labels';
import { baseSettings, readEnvironment, secretArnSetting, setting } from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { MAX_APPS, WEBHOOK_METRICS } from './contract';
import { createQueueSender } from './queue';
import { respond, type WebhookDependencies } from './respond';

const environment = readEnvironment({
  ...baseSettings,
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  SIGNING_SECRET_ARN: secretArnSetting(),
  LIVEMODE: setting.flag(),
  DEFAULT_APP_ID: setting.optionalText().default(''),
});
const { log, metrics } = createTelemetry('webhook', environment);
const secrets = createSecrets();
const appNames = boundedNames(MAX_APPS);
const send = createQueueSender(environment.QUEUE_URL);

const EXPECTED_SECRET = 'expected the signing secret, whsec_…';
const moment = z.coerce.date({ error: 'expected an ISO 8601 time' });
const signingSecrets = z.object({
  // What the stack makes the secret with begins otherwise: until an operator fills it in, every webhook is an error of
  // ours, which Stripe delivers again, instead of one of Stripe's, which it would only be told of.
  current: z.string({ error: EXPECTED_SECRET }).trim().startsWith('whsec_', EXPECTED_SECRET),
  previous: z.string().optional(),
  previousExpiresAt: moment.optional(),
  connect: z.string().optional(),
  connectPrevious: z.string().optional(),
  connectPreviousExpiresAt: moment.optional(),
});

const dependencies: WebhookDependencies = {
  secrets: () => secrets.read(environment.SIGNING_SECRET_ARN, signingSecrets),
  livemode: environment.LIVEMODE,
  send,
  clock: () => new Date(),
  log,
};

/** Verifies a webhook of Stripe's and queues it: 200 when it is queued, 4xx when the sender is wrong, 500 when we are. */
export async function handler(request: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  const { answer, outcome, event } = await respond(request, dependencies);
  metrics.addMetric(WEBHOOK_METRICS.received, MetricUnit.Count, 1);
  if (outcome === 'rejected') metrics.addMetric(WEBHOOK_METRICS.rejected, MetricUnit.Count, 1);
  if (outcome === 'ignored') metrics.addMetric(WEBHOOK_METRICS.ignored, MetricUnit.Count, 1);
  if (outcome === 'failed') metrics.addMetric(WEBHOOK_METRICS.failed, MetricUnit.Count, 1);
  if (event !== undefined) {
    // One record, counted twice: without further dimensions for the alarms, and by app and type.
    metrics.addDimensions({});
    const app = appNames(appOf(event, environment.DEFAULT_APP_ID || null));
    metrics.addDimensions({ app, type: typeLabel(event.type) });
  }
  metrics.publishStoredMetrics();
  return answer;
}
