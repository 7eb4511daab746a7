import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import { check } from '../../../local/pass/check';
import { deliver } from '../../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../../local/stripe/objects';
import { emittedMetrics } from '../emitted-metrics';
import type { RehearsalStep } from '../rehearsal';

/** A webhook before the operator put in the secrets: an error of ours, so that Stripe delivers it again. */
export const refuseUnfilledSecrets: RehearsalStep = {
  title: 'A deployment whose secrets are not filled in yet answers 500, never 200',
  async run({ platform, options }, tell) {
    const event = eventObject('customer.subscription.created', subscriptionObject());
    const { status, body } = await deliver(event, { url: platform.endpoint, secret: platform.signingSecret });
    tell(`${status} ${body}`);
    check(status === 500, `the endpoint answered ${status}, expected 500`);
    const emitted = await emittedMetrics(options.clients, `BillingOps-${options.config.name}-webhook`);
    check(
      emitted.some(({ name, value }) => name === WEBHOOK_METRICS.failed && value > 0),
      `the function did not count it as ${WEBHOOK_METRICS.failed}`,
    );
    tell(`counted as ${WEBHOOK_METRICS.failed}`);
  },
};

/** The step of docs/deploy.md after the first deployment. */
export const fillSecrets: RehearsalStep = {
  title: 'Fill in the two secrets',
  essential: true,
  async run({ deployment, options }, tell) {
    const { clients, signingSecret, apiKey } = options;
    for (const [word, value] of [
      ['StripeSecretsSigning', { current: signingSecret }],
      ['StripeSecretsApi', { apiKey }],
    ] as const) {
      const { physicalId } = await deployment.find('Data', 'AWS::SecretsManager::Secret', word);
      const command = new PutSecretValueCommand({ SecretId: physicalId, SecretString: JSON.stringify(value) });
      await clients.secrets.send(command);
      tell(`${physicalId}: ${Object.keys(value).join(', ')}`);
    }
  },
};
