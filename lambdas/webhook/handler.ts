import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { boundedNames } from '../../core/providers/bounded-names';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { stripeWebhooks } from '../../core/providers/stripe/webhooks';
import { tilledWebhooks } from '../../core/providers/tilled/webhooks';
import type { WebhookScheme } from '../../core/providers/webhook-scheme';
import { boundedLookUp } from '../../core/runtime/bounded-look-up';
import { baseSettings, readEnvironment, secretArnSetting, setting } from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { MAX_APPS, WEBHOOK_METRICS } from './contract';
import { createQueueSender } from '../../core/queue/sender';
import { respond, type Endpoint, type WebhookDependencies } from './respond';

const environment = readEnvironment({
  ...baseSettings,
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  STRIPE_SIGNING_SECRET_ARN: secretArnSetting(),
  TILLED_SIGNING_SECRET_ARN: setting.optionalText().default(''),
  LIVEMODE: setting.flag(),
  DEFAULT_APP_ID: setting.optionalText().default(''),
});
const { log, metrics, beginRequest } = createTelemetry('webhook', environment);
const secrets = createSecrets();
const appNames = boundedNames(MAX_APPS);

const { STRIPE_SIGNING_SECRET_ARN: stripeSecretArn, TILLED_SIGNING_SECRET_ARN: tilledSecretArn } = environment;
const endpoints: readonly Endpoint[] = [
  endpoint(stripeWebhooks, stripeSecretArn),
  ...(tilledSecretArn === '' ? [] : [endpoint(tilledWebhooks, tilledSecretArn)]),
];

const dependencies: WebhookDependencies = {
  endpoints: Object.fromEntries(endpoints.map((each) => [WEBHOOK_ENDPOINTS[each.scheme.provider].path, each])),
  livemode: environment.LIVEMODE,
  send: createQueueSender(environment.QUEUE_URL),
  clock: () => new Date(),
  log,
};

function endpoint<Event, Secrets>(scheme: WebhookScheme<Event, Secrets>, secretArn: string): Endpoint<Event, Secrets> {
  return {
    scheme,
    secrets: () => secrets.read(secretArn, scheme.secrets),
    newerSecrets: boundedLookUp(() => secrets.read(secretArn, scheme.secrets, 'current')),
  };
}

/** Verifies a provider's webhook and queues it: 200 when it is queued, 4xx when the sender is wrong, 500 when we are. */
export async function handler(request: APIGatewayProxyEvent, context?: Context): Promise<APIGatewayProxyResult> {
  beginRequest(context);
  const { answer, outcome, labels } = await respond(request, dependencies);
  // Every five minutes: counted, it would hide that nothing comes from the provider, or that all of that is refused.
  if (labels?.canary) return answer;
  metrics.addMetric(WEBHOOK_METRICS.received, MetricUnit.Count, 1);
  if (outcome === 'rejected') metrics.addMetric(WEBHOOK_METRICS.rejected, MetricUnit.Count, 1);
  if (outcome === 'ignored') metrics.addMetric(WEBHOOK_METRICS.ignored, MetricUnit.Count, 1);
  if (outcome === 'failed') metrics.addMetric(WEBHOOK_METRICS.failed, MetricUnit.Count, 1);
  if (labels !== undefined) {
    // One record, counted twice: without further dimensions for the alarms, and by app and type.
    metrics.addDimensions({});
    const app = appNames(labels.app ?? environment.DEFAULT_APP_ID);
    metrics.addDimensions({ app, type: labels.metricType });
  }
  metrics.publishStoredMetrics();
  return answer;
}
