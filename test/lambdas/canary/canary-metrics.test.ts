import { startSecretsManager } from '../../../local/aws/secrets-manager';
import { emittedMetrics, startFunction } from '../../support/started-function';

test('a canary whose signing secret is not filled in says so in a metric of its own', async () => {
  const secrets = await startSecretsManager();
  try {
    // As the template generates it.
    secrets.put('signing', { current: 'x'.repeat(32) });
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
    await expect(result).rejects.toThrow('malformed');
    expect(emittedMetrics(records).map(({ name, value }) => [name, value])).toEqual([
      ['CanaryUnconfigured', 1],
      ['CanaryFailed', 1],
    ]);
  } finally {
    jest.restoreAllMocks();
    await secrets.stop();
  }
});
