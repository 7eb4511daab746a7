import path from 'node:path';
import { Duration } from 'aws-cdk-lib';
import {
  CfnSecurityGroupIngress,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  type ISecurityGroup,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { failureQueueName, functionName, type BaseEnvironment } from '../../core/contract';
import type { EnvironmentConfig } from '../config/environment-schema';
import { removalPolicyOf } from '../config/removal-policy';
import { acknowledgeFunction } from '../policy/acknowledge-function';
import type { Bundle } from './bundles';
import type { DatabaseAccess } from '../data/database-access';
import { allowAccess } from './database-connection';
import { executionRole } from './execution-role';
import { operationalQueue } from './operational-queue';

const HTTPS = 443;

/** What all functions of an environment have in common. */
export interface OperationsContext {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** Code of the functions. */
  readonly bundles: readonly Bundle[];
  /** Encrypts the logs. */
  readonly logKey: IKey;
  /** Network of the databases. @default - none: the databases are reachable without one */
  readonly vpc: IVpc | undefined;
  /**
   * Security group of the endpoints of AWS APIs in that network. @default - none: the APIs are reached through the
   * internet
   */
  readonly apiSecurityGroup: ISecurityGroup | undefined;
}

/** How an asynchronous request is retried before it goes to the failure queue. */
export interface AsynchronousInvocation {
  /** Further attempts by Lambda, 0–2. More than 0 only where a second run does no harm. */
  readonly retryAttempts: number;
  /** Age from which a request is no longer attempted. At least a minute, at most 6 hours. */
  readonly maximumAge: Duration;
}

export interface OperationalFunctionProps<Environment extends BaseEnvironment> {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Folder in `lambdas/`; also the last part of the function's name. */
  readonly stem: string;
  /** What it does, as the console shows it. */
  readonly description: string;
  /** Variables of the function's contract, besides those that every function has. */
  readonly environment: Omit<Environment, keyof BaseEnvironment>;
  /** How long one invocation may take; 15 minutes at most. */
  readonly timeout: Duration;
  /** MiB. Lambda gives CPU in proportion: 1769 is one whole core. */
  readonly memorySize: number;
  /** Databases that it connects to; with any, it runs in the network. @default - none */
  readonly databases?: readonly DatabaseAccess[];
  /**
   * Concurrent instances that are reserved for it, which is also its limit. @default - the unreserved concurrency of the
   * account
   */
  readonly reservedConcurrentExecutions?: number;
  /** @default - invoked synchronously only: the caller sees the failure */
  readonly asynchronous?: AsynchronousInvocation;
}

/**
 * A function with everything that operations needs: JSON logs with an expiry, traces, access to its databases, a failure
 * queue.
 */
export class OperationalFunction<Environment extends BaseEnvironment = BaseEnvironment> extends Construct {
  readonly function: LambdaFunction;
  /** Requests that failed for good. `undefined` when it is invoked synchronously only. */
  readonly failureQueue: Queue | undefined;
  /** `undefined` when it is in no network. */
  readonly securityGroup: SecurityGroup | undefined;
  readonly stem: string;

  constructor(scope: Construct, id: string, props: OperationalFunctionProps<Environment>) {
    super(scope, id);
    const { context, stem, asynchronous, databases = [] } = props;
    const { config } = context;
    const network = databases.length > 0 ? this.networkSettings(context, stem) : undefined;
    this.stem = stem;
    this.securityGroup = network?.securityGroups[0];
    this.failureQueue = asynchronous && failureQueue(this, failureQueueName(config.name, stem));
    const name = functionName(config.name, stem);
    const log = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_YEAR,
      encryptionKey: context.logKey,
      removalPolicy: removalPolicyOf(config.removalProtection),
    });

    this.function = new LambdaFunction(this, 'Function', {
      functionName: name,
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(bundleFolder(context.bundles, stem)),
      handler: 'index.handler',
      role: executionRole(this, { functionName: name, log, inNetwork: network !== undefined }),
      timeout: props.timeout,
      memorySize: props.memorySize,
      reservedConcurrentExecutions: props.reservedConcurrentExecutions,
      environment: {
        ...given(props.environment),
        ...baseEnvironment(config),
        // Since Node 20, Lambda no longer loads Amazon's own authorities, which sign the certificates of RDS. The file
        // is part of the runtime. Only where needed: reading it delays every cold start.
        ...(databases.length > 0 ? { NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' } : {}),
      },
      ...network,
      tracing: Tracing.ACTIVE,
      loggingFormat: LoggingFormat.JSON,
      // Lambda counts metrics, whose lines have no level, as INFO: a stricter filter would drop them and silence every alarm.
      // The logger itself filters by LOG_LEVEL.
      applicationLogLevelV2: config.logLevel === 'DEBUG' ? ApplicationLogLevel.DEBUG : ApplicationLogLevel.INFO,
      systemLogLevelV2: SystemLogLevel.INFO,
      logGroup: log,
      ...(asynchronous && this.failureQueue
        ? {
            retryAttempts: asynchronous.retryAttempts,
            maxEventAge: asynchronous.maximumAge,
            // A schedule invokes asynchronously: its own dead-letter queue does not receive failures of the function.
            onFailure: new SqsDestination(this.failureQueue),
          }
        : {}),
    });

    for (const database of databases) allowAccess(this.function, stem, database, this.securityGroup);
    acknowledgeFunction(this.function, {
      asynchronous: asynchronous !== undefined,
      inNetwork: network !== undefined,
      connects: databases.length > 0,
    });
  }

  private networkSettings({ vpc, apiSecurityGroup }: OperationsContext, stem: string) {
    if (!vpc) return undefined;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: `The ${stem} function`,
      allowAllOutbound: false,
    });
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(HTTPS), 'AWS APIs and Stripe, over HTTPS');
    if (apiSecurityGroup) {
      new CfnSecurityGroupIngress(this, 'ToApis', {
        groupId: apiSecurityGroup.securityGroupId,
        sourceSecurityGroupId: securityGroup.securityGroupId,
        ipProtocol: 'tcp',
        fromPort: HTTPS,
        toPort: HTTPS,
        description: `${stem} calls AWS APIs`,
      });
    }
    return { vpc, vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS }, securityGroups: [securityGroup] };
  }
}

/** Drops the optional variables of a contract that are not set: CloudFormation accepts no undefined value. */
function given(environment: object): Record<string, string> {
  const entries = Object.entries(environment) as [string, string | undefined][];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function baseEnvironment(config: EnvironmentConfig): { [Name in keyof BaseEnvironment]: string } {
  return { ENVIRONMENT_NAME: config.name, LOG_LEVEL: config.logLevel };
}

function failureQueue(scope: Construct, queueName: string): Queue {
  return operationalQueue(scope, 'Failures', {
    queueName,
    // The maximum of SQS: enough time for a holiday.
    retention: Duration.days(14),
    endsHere: 'This is where failed requests end, until an operator looks at them',
  });
}

function bundleFolder(bundles: readonly Bundle[], stem: string): string {
  const bundle = bundles.find(({ name }) => name === stem);
  if (!bundle) throw new Error(`No bundle of ${stem}: expected ${path.join('lambdas', stem, 'handler.ts')}`);
  return bundle.folder;
}
