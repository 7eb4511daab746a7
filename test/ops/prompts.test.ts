import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** Ctrl-C and Ctrl-D at a question: nothing was confirmed, so nothing is done. */
const CTRL_C = '\u{3}';
const CTRL_D = '\u{4}';
const lambda = mockClient(LambdaClient);
const secrets = mockClient(SecretsManagerClient);
mockClient(CloudFormationClient);

beforeEach(() => {
  for (const mock of [lambda, secrets]) mock.reset();
  lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: { Variables: { STRIPE_SIGNING_SECRET_ARN: 'arn:signing', STRIPE_API_SECRET_ARN: 'arn:api' } },
  });
});

const putKey = (line: string, typed: string) =>
  runOps([...wordsOf(`secrets put-stripe api-key ${line}--without-audit`), '--env', 'dev'], {
    typed,
    environment: { NO_COLOR: '1' },
  });

test.each([
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
])('%s where a name is to be typed confirms nothing, and nothing is done', async (_, key) => {
  const { status, stderr } = await putKey('', key);
  expect([status, stderr]).toEqual([3, expect.stringMatching(/\nerror: Nothing was changed: dev was not typed\n$/)]);
  expect(secrets.calls()).toEqual([]);
});

test('Ctrl-C where a secret is to be typed stores nothing, and speaks of nothing that continues', async () => {
  const { status, stderr } = await putKey('--confirm dev ', `rk_test_${CTRL_C}`);
  expect([status, stderr]).toEqual([3, 'New api-key: \nerror: Nothing was changed: no secret was typed\n']);
  expect(secrets.calls()).toEqual([]);
});
