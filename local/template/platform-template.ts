import { basename } from 'node:path';
import type { Definition } from '../states/definition';
import { readAssembly, type Resource, type Stack } from './assembly';
import { Resolver, type LocalResource } from './intrinsics';
import { Properties } from './properties';
import { readRoutes, type RestApi } from './routes';

export interface FunctionDefinition {
  readonly name: string;
  readonly arn: string;
  /** Folder of the code that is deployed. */
  readonly folder: string;
  /** `file.export`, as in `index.handler`. */
  readonly handler: string;
  readonly timeoutSeconds: number;
  readonly memoryMib: number;
  /** Most instances at a time; undefined when none are reserved. */
  readonly reservedConcurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Names by which it may be invoked besides its own. @default - none */
  readonly aliases?: readonly string[];
  readonly logLevel: string | undefined;
  /** Queue that takes requests without an answer which failed for good. @default - none */
  readonly failureQueueArn?: string;
}

export interface QueueDefinition {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly visibilityTimeoutSeconds: number;
  readonly redrive: { readonly deadLetterArn: string; readonly maxReceiveCount: number } | undefined;
}

export interface EventSourceDefinition {
  readonly queueArn: string;
  readonly functionName: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  readonly reportsBatchItemFailures: boolean;
}

export interface ScheduleDefinition {
  readonly name: string;
  readonly description: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly enabled: boolean;
  readonly functionArn: string;
  /** JSON, perhaps with `<aws.scheduler.…>` attributes. */
  readonly input: string;
}

/** A state machine of Step Functions. */
export interface StateMachineDefinition {
  readonly name: string;
  readonly arn: string;
  readonly definition: Definition;
}

/** The part of the synthesised templates that runs on this machine. */
export interface PlatformTemplate {
  readonly region: string;
  readonly account: string;
  readonly functions: readonly FunctionDefinition[];
  readonly queues: readonly QueueDefinition[];
  readonly eventSources: readonly EventSourceDefinition[];
  readonly api: RestApi;
  readonly schedules: readonly ScheduleDefinition[];
  readonly stateMachines: readonly StateMachineDefinition[];
  readonly buckets: readonly string[];
  readonly secretArns: readonly string[];
}

/** Defaults of CloudFormation, for properties that a template leaves out. */
const DEFAULTS = { timeoutSeconds: 3, memoryMib: 128, visibilityTimeoutSeconds: 30, sqsBatchSize: 10 };

/** Name of a resource that the template leaves to CloudFormation: the logical id, which S3 wants in lower case. */
function physicalName(logicalId: string, { Properties: properties, Type }: Resource): string {
  const property = {
    'AWS::S3::Bucket': 'BucketName',
    'AWS::Lambda::Function': 'FunctionName',
    'AWS::SQS::Queue': 'QueueName',
  }[Type];
  const given = property === undefined ? undefined : properties?.[property];
  if (typeof given === 'string') return given;
  return Type === 'AWS::S3::Bucket' ? logicalId.toLowerCase() : logicalId;
}

/** The local counterpart of each kind of resource. */
function localise(queueUrl: (name: string) => string) {
  return (stack: Stack, logicalId: string, resource: Resource): LocalResource | undefined => {
    const name = physicalName(logicalId, resource);
    const arn = (service: string, rest: string): string =>
      `arn:aws:${service}:${stack.region}:${stack.account}:${rest}`;
    switch (resource.Type) {
      case 'AWS::Lambda::Function':
        return { ref: name, attributes: { Arn: arn('lambda', `function:${name}`) } };
      case 'AWS::Lambda::Version':
        return { ref: name, attributes: { Version: '1' } };
      case 'AWS::Lambda::Alias': {
        const { FunctionName, Name } = resource.Properties as { FunctionName: { Ref: string }; Name: string };
        const target = stack.resources[FunctionName.Ref];
        if (!target) throw new Error(`${stack.name}.${logicalId}: the alias is of no function`);
        return { ref: arn('lambda', `function:${physicalName(FunctionName.Ref, target)}:${Name}`), attributes: {} };
      }
      case 'AWS::SQS::Queue':
        return {
          ref: queueUrl(name),
          attributes: { Arn: arn('sqs', name), QueueName: name, QueueUrl: queueUrl(name) },
        };
      case 'AWS::S3::Bucket':
        return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } };
      case 'AWS::SecretsManager::Secret': {
        // Real ARNs end in six characters of Secrets Manager's own; readers distinguish names from ARNs by them.
        const secretArn = arn('secretsmanager', `secret:${name}-local0`);
        return { ref: secretArn, attributes: { Id: secretArn } };
      }
      // Not served here: a function needs only their names.
      case 'AWS::IAM::Role':
        return { ref: name, attributes: { Arn: `arn:aws:iam::${stack.account}:role/${name}` } };
      case 'AWS::KMS::Key':
        return { ref: name, attributes: { Arn: arn('kms', `key/${name}`), KeyId: name } };
      case 'AWS::ApiGateway::Stage':
        return { ref: String(resource.Properties?.StageName), attributes: {} };
      case 'AWS::ApiGateway::RestApi':
        return { ref: logicalId, attributes: { RootResourceId: `${logicalId}/` } };
      case 'AWS::ApiGateway::Resource':
        return { ref: logicalId, attributes: {} };
      default:
        return undefined;
    }
  };
}

function readFunction(properties: Properties): FunctionDefinition {
  const key = basename(properties.text('Code.S3Key'));
  const folder = properties.stack.assetFolders.get(key);
  const name = properties.text('FunctionName');
  return {
    name,
    arn: `arn:aws:lambda:${properties.stack.region}:${properties.stack.account}:function:${name}`,
    folder: folder ?? properties.missing(`Code.S3Key (asset ${key})`),
    handler: properties.text('Handler'),
    timeoutSeconds: properties.number('Timeout') ?? DEFAULTS.timeoutSeconds,
    memoryMib: properties.number('MemorySize') ?? DEFAULTS.memoryMib,
    reservedConcurrency: properties.number('ReservedConcurrentExecutions'),
    environment: (properties.value('Environment.Variables') ?? {}) as Record<string, string>,
    logLevel: properties.optionalText('LoggingConfig.ApplicationLogLevel'),
  };
}

function readQueue(properties: Properties, resource: Resource, queueUrl: (name: string) => string): QueueDefinition {
  const name = physicalName(properties.logicalId, resource);
  const deadLetterArn = properties.optionalText('RedrivePolicy.deadLetterTargetArn');
  return {
    name,
    arn: `arn:aws:sqs:${properties.stack.region}:${properties.stack.account}:${name}`,
    url: queueUrl(name),
    visibilityTimeoutSeconds: properties.number('VisibilityTimeout') ?? DEFAULTS.visibilityTimeoutSeconds,
    redrive:
      deadLetterArn === undefined
        ? undefined
        : { deadLetterArn, maxReceiveCount: Number(properties.text('RedrivePolicy.maxReceiveCount')) },
  };
}

function readEventSource(properties: Properties): EventSourceDefinition {
  return {
    queueArn: properties.text('EventSourceArn'),
    functionName: properties.text('FunctionName'),
    batchSize: properties.number('BatchSize') ?? DEFAULTS.sqsBatchSize,
    batchingWindowSeconds: properties.number('MaximumBatchingWindowInSeconds') ?? 0,
    reportsBatchItemFailures: ((properties.value('FunctionResponseTypes') ?? []) as string[]).includes(
      'ReportBatchItemFailures',
    ),
  };
}

function readSchedule(properties: Properties): ScheduleDefinition {
  return {
    name: properties.logicalId,
    description: properties.optionalText('Description') ?? properties.logicalId,
    expression: properties.text('ScheduleExpression'),
    timeZone: properties.optionalText('ScheduleExpressionTimezone') ?? 'UTC',
    enabled: (properties.optionalText('State') ?? 'ENABLED') === 'ENABLED',
    functionArn: properties.text('Target.Arn'),
    input: properties.optionalText('Target.Input') ?? '{}',
  };
}

function readStateMachine(properties: Properties): StateMachineDefinition {
  const name = properties.text('StateMachineName');
  return {
    name,
    arn: `arn:aws:states:${properties.stack.region}:${properties.stack.account}:stateMachine:${name}`,
    definition: JSON.parse(properties.text('DefinitionString')) as Definition,
  };
}

/**
 * Reads what the platform consists of from a synthesised assembly, so that what runs here is what is deployed.
 *
 * @param queueUrl URL of a queue on this machine, by its name
 * @throws when something that runs here depends on a value that only AWS has; names stack, resource and property
 */
export function readPlatformTemplate(directory: string, queueUrl: (name: string) => string): PlatformTemplate {
  const stacks = readAssembly(directory);
  const local = localise(queueUrl);
  const resolver = new Resolver(stacks, local);
  const all = <T>(type: string, read: (properties: Properties, resource: Resource) => T): T[] =>
    stacks.flatMap((stack) =>
      Object.entries(stack.resources)
        .filter(([, resource]) => resource.Type === type)
        .map(([id, resource]) => read(new Properties(resolver, stack, id, resource), resource)),
    );
  const [{ region, account } = {}] = stacks;
  if (region === undefined || account === undefined) throw new Error(`The assembly in ${directory} has no stacks.`);
  const aliases = all('AWS::Lambda::Alias', (properties) => ({
    functionName: properties.text('FunctionName'),
    alias: properties.text('Name'),
  }));
  const destinations = all('AWS::Lambda::EventInvokeConfig', (properties) => ({
    functionName: properties.text('FunctionName'),
    failureQueueArn: properties.optionalText('DestinationConfig.OnFailure.Destination'),
  }));
  const destinationOf = (name: string) => {
    const failureQueueArn = destinations.find(({ functionName }) => functionName === name)?.failureQueueArn;
    return failureQueueArn === undefined ? {} : { failureQueueArn };
  };
  const aliasesOf = (name: string) => aliases.flatMap((each) => (each.functionName === name ? [each.alias] : []));
  return {
    region,
    account,
    // Functions without a name are CDK's own helpers, which act on AWS while a stack is deployed.
    functions: all('AWS::Lambda::Function', (properties, { Properties: given }) =>
      given?.FunctionName === undefined ? [] : [readFunction(properties)],
    )
      .flat()
      .map((definition) => ({ ...definition, aliases: aliasesOf(definition.name), ...destinationOf(definition.name) })),
    queues: all('AWS::SQS::Queue', (properties, resource) => readQueue(properties, resource, queueUrl)),
    eventSources: all('AWS::Lambda::EventSourceMapping', readEventSource),
    api: readRoutes(all),
    schedules: all('AWS::Scheduler::Schedule', readSchedule),
    stateMachines: all('AWS::StepFunctions::StateMachine', readStateMachine),
    buckets: all('AWS::S3::Bucket', (properties, resource) => physicalName(properties.logicalId, resource)),
    secretArns: all(
      'AWS::SecretsManager::Secret',
      ({ stack, logicalId }, resource) => local(stack, logicalId, resource)?.ref ?? logicalId,
    ),
  };
}
