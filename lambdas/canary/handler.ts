import { randomBytes } from 'node:crypto';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { stripeWebhooks } from '../../core/providers/stripe/webhooks';
import { baseSettings, readEnvironment, secretArnSetting, setting } from '../../core/runtime/environment';
import { ConfigurationError } from '../../core/runtime/errors';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { CANARY_METRICS, contract } from './contract';
import { sendCanary } from './core';
import { statusByInspect } from './read-status';

const environment = readEnvironment({
  ...baseSettings,
  ENDPOINT_URL: setting.url('the URL of the endpoint'),
  STRIPE_SIGNING_SECRET_ARN: secretArnSetting(),
  INSPECT_FUNCTION_NAME: setting.text('the name of the function `inspect`'),
  ADDRESSES_LISTED: setting.flag(),
});
const telemetry = createTelemetry('canary', environment);
const secrets = createSecrets();
const lambda = new LambdaClient({ requestHandler: { connectionTimeout: 3_000, socketTimeout: 30_000 } });

/** Proves that the way of an event is open, from the public endpoint to the ledger. Runs every five minutes. */
export const handler = operation(contract, {
  name: 'Canary',
  telemetry,
  run: async () => {
    try {
      // Looked up: the one in memory may have ended a moment ago, after a leak.
      const arn = environment.STRIPE_SIGNING_SECRET_ARN;
      const { current } = await secrets.read(arn, stripeWebhooks.secrets, 'current');
      return await sendCanary({
        endpointUrl: environment.ENDPOINT_URL,
        signingSecret: current,
        readStatus: statusByInspect(lambda, environment.INSPECT_FUNCTION_NAME),
        addressesListed: environment.ADDRESSES_LISTED,
        clock: () => new Date(),
        suffix: randomBytes(4).toString('hex'),
      });
    } catch (error) {
      const { unconfigured, lost } = CANARY_METRICS;
      telemetry.metrics.addMetric(error instanceof ConfigurationError ? unconfigured : lost, MetricUnit.Count, 1);
      throw error;
    }
  },
  measure: (metrics, { recordedMs }) => {
    metrics.addMetric(CANARY_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(CANARY_METRICS.latencyMs, MetricUnit.Milliseconds, recordedMs);
  },
  failedMetric: CANARY_METRICS.failed,
});
