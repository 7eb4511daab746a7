import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { OperationalFunction } from '../../../lib/operations/operational-function';
import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';

const folder = mkdtempSync(path.join(tmpdir(), 'open-telemetry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function functionWith(openTelemetry?: EnvironmentConfig['openTelemetry']) {
  const stack = new Stack(new App(), 'Stack');
  new OperationalFunction(stack, 'Alpha', {
    context: {
      config: { ...exampleEnvironment('production'), openTelemetry },
      bundles: [{ name: 'alpha', folder, bytes: 0 }],
      logKey: new Key(stack, 'LogKey'),
      vpc: undefined,
      apiSecurityGroup: undefined,
    },
    stem: 'alpha',
    description: 'Alpha',
    environment: {},
    timeout: Duration.seconds(10),
    memorySize: 128,
  });
  const [found] = Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
  return found?.Properties as { Layers?: unknown; Environment: { Variables: object }; TracingConfig: object };
}

const LAYER = 'arn:aws:lambda:eu-central-1:111111111111:layer:otel-nodejs:3';

test('a function is started by the layers of OpenTelemetry with their variables, and X-Ray goes on', () => {
  const plain = functionWith();
  const traced = functionWith({
    layerArns: [LAYER],
    wrapper: '/opt/otel-handler',
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.com' },
  });
  expect(plain.Layers).toBeUndefined();
  expect(traced.Layers).toEqual([LAYER]);
  expect(traced.TracingConfig).toEqual({ Mode: 'Active' });
  expect(traced.Environment.Variables).toEqual({
    ...plain.Environment.Variables,
    AWS_LAMBDA_EXEC_WRAPPER: '/opt/otel-handler',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.com',
  });
});
