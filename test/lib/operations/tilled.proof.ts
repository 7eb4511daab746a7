import type { Template } from 'aws-cdk-lib/assertions';
import { exampleEnvironment } from '../../support/example-environments';
import { resourceLike, resourcesOf, templatesOf } from '../support';
import { synthesise } from '../synthesise';

test('an environment that takes Tilled has its route, secrets and signature in the firewall; any other has nothing of it', () => {
  const { data, operations, monitoring } = synthesise({ ...exampleEnvironment('production'), tilled: true });
  const parts = Object.values(resourcesOf(operations, 'AWS::ApiGateway::Resource')).map(
    ({ Properties }) => Properties.PathPart,
  );
  expect(parts.filter((part) => part === 'tilled')).toHaveLength(1);
  expect(
    Object.keys(resourcesOf(data, 'AWS::SecretsManager::Secret')).filter((id) => id.startsWith('Tilled')),
  ).toHaveLength(2);
  const { Environment } = resourceLike(operations, 'AWS::Lambda::Function', 'Webhook').Properties;
  expect(Environment).toMatchObject({ Variables: { TILLED_SIGNING_SECRET_ARN: expect.anything() } });
  expect(readersOf(operations, /TilledSecretsApi/)).toEqual(['Reconciliation', 'Replay']);
  expect(readersOf(operations, /TilledSecretsSigning/)).toEqual(['Webhook']);
  expect(resourceLike(operations, 'AWS::Lambda::Function', 'Reconciliation').Properties.Environment).toMatchObject({
    Variables: { TILLED_API_SECRET_ARN: expect.anything(), TILLED_API_BASE: 'https://api.tilled.com' },
  });
  const log = JSON.stringify(resourcesOf(operations, 'AWS::WAFv2::LoggingConfiguration'));
  expect(log).toContain('"tilled-signature"');
  expect(JSON.stringify(resourcesOf(operations, 'AWS::WAFv2::WebACL'))).toContain('/api/v1/webhooks/tilled');
  expect(JSON.stringify(monitoring.toJSON())).toContain('/api/v1/webhooks/tilled');

  const others = templatesOf('production');
  for (const template of [others.operations, others.monitoring, others.data]) {
    // Workflows name every error after which a step may be tried again, and the page is told that there is no Tilled.
    const text = JSON.stringify(template.toJSON()).replaceAll(/TilledUnavailable|"TILLED":"false"/g, '');
    expect(/.{0,80}tilled/i.exec(text)).toBeNull();
  }
});

/** Names of the constructs whose role may read a secret, by its exact ARN. */
function readersOf(template: Template, secret: RegExp): string[] {
  return Object.entries(resourcesOf(template, 'AWS::IAM::Policy'))
    .filter(([, { Properties }]) =>
      (Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement.some(
        ({ Action, Resource }) =>
          JSON.stringify(Action).includes('secretsmanager:GetSecretValue') && secret.test(JSON.stringify(Resource)),
      ),
    )
    .map(([id]) => /^[A-Z][a-z]+/.exec(id)?.[0] ?? id)
    .toSorted();
}
