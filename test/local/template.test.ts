import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPlatformTemplate, type PlatformTemplate } from '../../local/template/platform-template';

const ACCOUNT = '123456789012';
const REGION = 'eu-central-1';
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'template-test-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

type Resources = Record<string, { Type: string; Properties?: Record<string, unknown> }>;

/** Writes an assembly of two stacks, `Data` and `Operations`, as `cdk synth` would. */
function assembly(operations: Resources, data: Resources = {}, outputs: object = {}): void {
  const write = (file: string, content: object): void => writeFileSync(join(directory, file), JSON.stringify(content));
  const artifact = (name: string): object => ({
    type: 'aws:cloudformation:stack',
    environment: `aws://${ACCOUNT}/${REGION}`,
    properties: { templateFile: `${name}.template.json` },
  });
  write('manifest.json', {
    artifacts: { Data: artifact('Data'), Operations: artifact('Operations'), Tree: { type: 'cdk:tree' } },
  });
  write('Data.template.json', { Resources: data, Outputs: outputs });
  write('Data.assets.json', {});
  write('Operations.template.json', {
    Resources: operations,
    Parameters: {
      Size: { Type: 'Number', Default: 7 },
      Bootstrap: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/x' },
    },
  });
  write('Operations.assets.json', {
    files: { abc: { source: { path: 'asset.abc' }, destinations: { here: { objectKey: 'abc.zip' } } } },
  });
  mkdirSync(join(directory, 'asset.abc'));
}

function read(): PlatformTemplate {
  return readPlatformTemplate(directory, (name) => `http://queues/${name}`);
}

function fn(environment: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Resources[string] {
  return {
    Type: 'AWS::Lambda::Function',
    Properties: {
      FunctionName: 'Ops-worker',
      Handler: 'index.handler',
      Code: { S3Bucket: 'assets', S3Key: 'abc.zip' },
      Environment: { Variables: environment },
      ...more,
    },
  };
}

test('a function has its code, limits and defaults', () => {
  const alias = { Type: 'AWS::Lambda::Alias', Properties: { FunctionName: { Ref: 'Worker' }, Name: 'api' } };
  const destination = { OnFailure: { Destination: { 'Fn::GetAtt': ['Queue', 'Arn'] } } };
  assembly({
    Worker: fn({}, { Timeout: 30, ReservedConcurrentExecutions: 2 }),
    Alias: alias,
    Queue: { Type: 'AWS::SQS::Queue' },
    Destination: {
      Type: 'AWS::Lambda::EventInvokeConfig',
      Properties: { FunctionName: { Ref: 'Worker' }, Qualifier: '$LATEST', DestinationConfig: destination },
    },
  });

  expect(read().functions).toEqual([
    {
      name: 'Ops-worker',
      arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:Ops-worker`,
      folder: join(directory, 'asset.abc'),
      handler: 'index.handler',
      timeoutSeconds: 30,
      memoryMib: 128,
      reservedConcurrency: 2,
      environment: {},
      aliases: ['api'],
      logLevel: undefined,
      failureQueueArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:Queue`,
    },
  ]);
});

test.each<[string, unknown, string]>([
  ['Ref of a queue', { Ref: 'Queue' }, 'http://queues/Queue'],
  ['Fn::GetAtt', { 'Fn::GetAtt': ['Queue', 'Arn'] }, `arn:aws:sqs:${REGION}:${ACCOUNT}:Queue`],
  ['Fn::GetAtt of a role', { 'Fn::GetAtt': ['Role', 'Arn'] }, `arn:aws:iam::${ACCOUNT}:role/Role`],
  ['Ref of a pseudo parameter', { Ref: 'AWS::Region' }, REGION],
  ['Ref of a parameter', { Ref: 'Size' }, '7'],
  ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'AWS::AccountId' }]] }, `a-${ACCOUNT}`],
  ['Fn::Select of Fn::Split', { 'Fn::Select': [1, { 'Fn::Split': ['/', 'a/b/c'] }] }, 'b'],
  ['Fn::Sub', { 'Fn::Sub': '${Queue.QueueName}@${AWS::Region}, ${!kept}' }, `Queue@${REGION}, \${kept}`],
  ['Fn::Sub with variables', { 'Fn::Sub': ['${who}!', { who: { Ref: 'Size' } }] }, '7!'],
  ['Fn::ImportValue', { 'Fn::ImportValue': 'Data:Bucket' }, 'bucket'],
])('%s is resolved', (_name, value, expected) => {
  const outputs = { Out: { Value: { Ref: 'Bucket' }, Export: { Name: 'Data:Bucket' } } };
  assembly(
    { Worker: fn({ VALUE: value }), Queue: { Type: 'AWS::SQS::Queue' }, Role: { Type: 'AWS::IAM::Role' } },
    { Bucket: { Type: 'AWS::S3::Bucket' } },
    outputs,
  );

  expect(String(read().functions[0]?.environment.VALUE)).toBe(expected);
});

test.each<[string, unknown, RegExp]>([
  ['an intrinsic function that is not supported', { 'Fn::Base64': 'x' }, /Fn::Base64 is not supported/],
  ['a resource without a counterpart', { Ref: 'Vpc' }, /Vpc \(AWS::EC2::VPC\) has no counterpart/],
  ['a resource that is not there', { Ref: 'Nobody' }, /there is no resource Nobody/],
  ['an attribute that is not known', { 'Fn::GetAtt': ['Worker', 'SnapStart'] }, /attribute SnapStart of Worker/],
  ['an export that is not there', { 'Fn::ImportValue': 'gone' }, /no stack exports gone/],
  ['the default of an SSM parameter', { Ref: 'Bootstrap' }, /there is no resource Bootstrap/],
])('%s is an error that says where', (_name, value, message) => {
  assembly({ Worker: fn({ VALUE: value }), Vpc: { Type: 'AWS::EC2::VPC' } });

  expect(read).toThrow(/^Template of Operations: Worker: Environment\.Variables: /);
  expect(read).toThrow(message);
});

test('properties that only AWS needs are not resolved', () => {
  assembly({ Worker: fn({}, { VpcConfig: { SubnetIds: [{ Ref: 'Subnet' }] } }), Subnet: { Type: 'AWS::EC2::Subnet' } });

  expect(read().functions).toHaveLength(1);
});

test('routes, event sources, redrive and schedules are joined to their functions and queues', () => {
  assembly({
    Worker: fn(),
    Parked: { Type: 'AWS::SQS::Queue' },
    Queue: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        VisibilityTimeout: 180,
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Parked', 'Arn'] }, maxReceiveCount: 3 },
      },
    },
    Mapping: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': ['Queue', 'Arn'] },
        FunctionName: { Ref: 'Worker' },
        BatchSize: 100,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      },
    },
    Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { BinaryMediaTypes: ['*/*'] } },
    V1: {
      Type: 'AWS::ApiGateway::Resource',
      Properties: { ParentId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] }, PathPart: 'v1' },
    },
    Hook: { Type: 'AWS::ApiGateway::Resource', Properties: { ParentId: { Ref: 'V1' }, PathPart: '{name}' } },
    Post: {
      Type: 'AWS::ApiGateway::Method',
      Properties: {
        HttpMethod: 'POST',
        ResourceId: { Ref: 'Hook' },
        Integration: {
          Type: 'AWS_PROXY',
          Uri: {
            'Fn::Join': [
              '',
              ['arn:aws:apigateway:x:lambda:path/functions/', { 'Fn::GetAtt': ['Worker', 'Arn'] }, '/invocations'],
            ],
          },
        },
      },
    },
    Throttled: {
      Type: 'AWS::ApiGateway::GatewayResponse',
      Properties: {
        ResponseType: 'THROTTLED',
        StatusCode: '429',
        ResponseParameters: { 'gatewayresponse.header.Retry-After': "'1'" },
        ResponseTemplates: { 'application/json': '{"code":"throttled"}' },
      },
    },
    Broken: { Type: 'AWS::ApiGateway::GatewayResponse', Properties: { ResponseType: 'DEFAULT_5XX' } },
    Nightly: {
      Type: 'AWS::Scheduler::Schedule',
      Properties: {
        ScheduleExpression: 'rate(1 day)',
        State: 'DISABLED',
        Target: { Arn: { 'Fn::GetAtt': ['Worker', 'Arn'] }, Input: '{"a":1}' },
      },
    },
  });

  const template = read();

  const functionArn = template.functions[0]?.arn;
  const parked = `arn:aws:sqs:${REGION}:${ACCOUNT}:Parked`;
  expect(template.api).toEqual({
    answers: {
      THROTTLED: { status: 429, headers: { 'retry-after': '1' }, body: '{"code":"throttled"}' },
      DEFAULT_5XX: { status: undefined, headers: {}, body: undefined },
    },
    binaryMediaTypes: ['*/*'],
    routes: [{ method: 'POST', path: '/v1/{name}', functionArn }],
  });
  expect(template.eventSources).toEqual([
    {
      queueArn: template.queues[1]?.arn,
      functionName: 'Ops-worker',
      batchSize: 100,
      batchingWindowSeconds: 0,
      reportsBatchItemFailures: true,
    },
  ]);
  expect(template.queues[1]).toMatchObject({
    visibilityTimeoutSeconds: 180,
    redrive: { deadLetterArn: parked, maxReceiveCount: 3 },
  });
  expect(template.schedules).toMatchObject([{ enabled: false, functionArn, input: '{"a":1}', timeZone: 'UTC' }]);
});
