import { startSecretsManager } from '../../../local/aws/secrets-manager';
import { emittedMetrics, startFunction } from '../../support/started-function';

test.each([
  // As the template generates it.
  ['is not filled in', 'x'.repeat(32), 'malformed', 'CanaryUnconfigured'],
  ['is there, and whose event does not arrive,', `whsec_${'x'.repeat(32)}`, 'did not answer', 'CanaryLost'],
])('a canary whose signing secret %s says so in a metric of its own', async (_, current, reason, metric) => {
  const secrets = await startSecretsManager();
  try {
    secrets.put('signing', { current });
    const canary = await startFunction(() => import('../../../lambdas/canary/handler'), {
      ENVIRONMENT_NAME: 'test',
      LOG_LEVEL: 'INFO',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
      STRIPE_SIGNING_SECRET_ARN: 'signing',
      ENDPOINT_URL: 'http://127.0.0.1:9',
      INSPECT_FUNCTION_NAME: 'inspect',
      ADDRESSES_LISTED: 'false',
    });
    const { result, records } = canary.invoke({});
    await expect(result).rejects.toThrow(reason);
    expect(emittedMetrics(records).map(({ name, value }) => [name, value])).toEqual([
      [metric, 1],
      ['CanaryFailed', 1],
    ]);
  } finally {
    jest.restoreAllMocks();
    await secrets.stop();
  }
});
