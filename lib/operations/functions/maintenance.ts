import { ArnFormat, Duration, Stack, Token } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import {
  LOGGING_STACKS,
  type MaintenanceEnvironment,
  type MaintenanceRequest,
} from '../../../lambdas/maintenance/contract';
import { DATABASE_NAMES, type DatabaseName, functionName, LOCAL_ENVIRONMENT } from '../../../core/contract';
import { COPIES_STACK, instanceBehind, RESIDENT_STACKS } from '../../../core/residency/contract';
import type { EnvironmentConfig } from '../../config/environment-schema';
import { LOG_SCAN_SCHEDULE, MAINTENANCE_SCHEDULES, REPORT_SCHEDULE, RESIDENCY_SCHEDULE } from '../../config/schedules';
import { accessAs, type DatabaseAccess } from '../../data/database-access';
import { residencyPolicyName } from '../../data/residency-reads';
import { allowAccess, billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface MaintenanceProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Function that is asked how backups, drills, events and secrets are. */
  readonly inspect: IFunction;
}

const REQUESTS = {
  weekly: (database) => ({ action: 'run', database, tasks: ['sizes', 'vacuum'], dryRun: false }),
  monthly: (database) => ({ action: 'run', database, tasks: ['indexes'], dryRun: false }),
  // Apart from the others: a task that fails would keep the count of what it found from the alarm.
  cards: (database) => ({ action: 'run', database, tasks: ['cards'], dryRun: false }),
} as const satisfies Record<string, (database: DatabaseName) => MaintenanceRequest>;

const PERIODS = [
  { period: 'weekly', id: 'Weekly', does: 'Vacuum and sizes' },
  { period: 'monthly', id: 'Monthly', does: 'Check of the indexes' },
  { period: 'cards', id: 'Cards', does: 'Scan for card numbers' },
] as const;

/** Log groups that a managed policy names: it holds 6,144 characters, and the policy of a role 10,240. */
const LOGS_OF_POLICY = 25;

/** Vacuums, measures and checks the databases, and mails a report on the platform once a month. */
export class Maintenance extends Construct {
  /** Requests that failed for good, and starts of a schedule that could not be delivered. */
  readonly failureQueue: Queue;
  private readonly target: OperationalFunction;

  constructor(scope: Construct, id: string, props: MaintenanceProps) {
    super(scope, id);
    const { context, databases, inspect } = props;
    const readers = {
      billing: accessAs(databases.billing, 'backup'),
      main: accessAs(databases.main, 'backup'),
    };
    const topic = context.config.name === LOCAL_ENVIRONMENT ? undefined : this.reports(context);
    const target = new OperationalFunction<MaintenanceEnvironment>(this, 'Maintenance', {
      context,
      stem: 'maintenance',
      description: 'Vacuums, measures and checks the databases, and reports on the platform',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        INSPECT_FUNCTION_NAME: inspect.functionName,
        BILLING_READER_SECRET_ARN: readers.billing.secretArn,
        MAIN_READER_SECRET_ARN: readers.main.secretArn,
        BILLING_INSTANCE_IDENTIFIER: databases.billing.instanceIdentifier ?? '',
        MAIN_INSTANCE_IDENTIFIER: databases.main.instanceIdentifier ?? '',
        // Nothing on a developer's machine takes mail: `ops maintenance report` prints it there.
        REPORT_TOPIC_ARN: topic?.topicArn ?? '',
      },
      timeout: Duration.minutes(15),
      memorySize: 512,
      databases: [databases.billing, databases.main],
      // One for each database, whose lock keeps a second run away, and one for questions.
      reservedConcurrentExecutions: DATABASE_NAMES.length + 1,
      // A second attempt vacuums what the first left.
      asynchronous: { retryAttempts: 1, maximumAge: Duration.hours(1) },
    });
    if (!target.failureQueue) throw new Error('maintenance must be asynchronous');
    this.failureQueue = target.failureQueue;
    this.target = target;
    for (const name of DATABASE_NAMES) {
      // Without logins of functions it is the owner's, which the function reads already.
      if (readers[name].secretArn !== databases[name].secretArn) {
        allowAccess(target.function, 'maintenance', readers[name], undefined, `${name}Reader`);
      }
    }
    if (topic) {
      // The grant of the framework would add the use of every key of the account: the key of AWS needs none.
      target.function.addToRolePolicy(new PolicyStatement({ actions: ['sns:Publish'], resources: [topic.topicArn] }));
    }
    target.function.addToRolePolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [inspect.functionArn] }),
    );

    for (const name of DATABASE_NAMES) {
      for (const { period, id: prefix, does } of PERIODS) {
        new FunctionSchedule(this, `${prefix}${name === 'billing' ? 'Billing' : 'Main'}`, {
          target,
          definition: MAINTENANCE_SCHEDULES[name][period],
          description: `${does} of the ${name} database`,
          input: REQUESTS[period](name),
        });
      }
    }
    new FunctionSchedule(this, 'Logs', {
      target,
      definition: LOG_SCAN_SCHEDULE,
      description: 'Scan of the logs for card numbers',
      input: { action: 'run', database: 'billing', tasks: ['logs'], dryRun: false } satisfies MaintenanceRequest,
    });
    new FunctionSchedule(this, 'Residency', {
      target,
      definition: RESIDENCY_SCHEDULE,
      description: 'Check of the regions that data is in',
      input: { action: 'run', database: 'billing', tasks: ['residency'], dryRun: false } satisfies MaintenanceRequest,
      // The local platform is in no region.
      enabled: context.config.name !== LOCAL_ENVIRONMENT,
    });
    new FunctionSchedule(this, 'MonthlyReport', {
      target,
      definition: REPORT_SCHEDULE,
      description: 'Monthly report on the platform',
      input: { action: 'report', send: true } satisfies MaintenanceRequest,
      enabled: topic !== undefined,
    });
  }

  /**
   * Lets the function list the log groups of the stacks, read them, and see where they are sent.
   *
   * @param logArns of these groups, as policies name them
   */
  scanLogs(environmentName: string, logArns: readonly string[]): void {
    const { role } = this.target.function;
    if (!role) throw new Error('maintenance must have a role');
    const stacks = LOGGING_STACKS.map((stack) => stackArn(this, environmentName, stack));
    role.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['cloudformation:ListStackResources'], resources: stacks }),
    );
    acknowledgeWildcards(role, {
      resources: stacks,
      reason: 'CloudFormation adds an id of its own to the name of a stack',
    });
    for (let start = 0; start < logArns.length; start += LOGS_OF_POLICY) {
      const resources = logArns.slice(start, start + LOGS_OF_POLICY);
      const policy = new ManagedPolicy(this, `ReadLogs${start / LOGS_OF_POLICY + 1}`, {
        description: 'Logs that are scanned for card numbers',
        roles: [role],
        statements: [
          new PolicyStatement({ actions: ['logs:FilterLogEvents', 'logs:DescribeSubscriptionFilters'], resources }),
        ],
      });
      acknowledgeWildcards(policy, {
        resources: resources.filter((arn) => !Token.isUnresolved(arn) || arn.endsWith(':*')),
        reason: 'Policies name a log group with its streams; the group itself is exact',
      });
    }
  }

  /**
   * Lets the function look up in which regions data is. What a stack knows by its exact ARN is in a policy of that stack
   * (`lib/data/residency-reads.ts`); the rest is here.
   */
  lookUpRegions({ name, region, allowedRegions, secondRegion, databases }: EnvironmentConfig): void {
    const { role } = this.target.function;
    if (!role) throw new Error('maintenance must have a role');
    const stack = Stack.of(this);
    role.addManagedPolicy(
      ManagedPolicy.fromManagedPolicyName(this, 'DataRegions', residencyPolicyName(name, 'Data', region)),
    );
    if (secondRegion !== undefined) {
      const copies = residencyPolicyName(name, COPIES_STACK, secondRegion);
      role.addManagedPolicy(ManagedPolicy.fromManagedPolicyName(this, 'CopiesRegions', copies));
    }
    const others = allowedRegions.filter((each) => each !== region);
    const described = RESIDENT_STACKS.map((each) => stackArn(this, name, each));
    const listed = [...described, ...others.map((each) => stackArn(this, name, COPIES_STACK, each))];
    const keys = [region, ...others].map((each) =>
      stack.formatArn({ service: 'kms', region: each, resource: 'key/*' }),
    );
    for (const statement of [
      new PolicyStatement({ actions: ['cloudformation:DescribeStacks'], resources: described }),
      new PolicyStatement({ actions: ['cloudformation:ListStackResources'], resources: listed }),
      // Keys have generated ids, and those of Monitoring and of a former second region are known to no stack that is deployed
      // before this one. The tags are those of every resource of the environment.
      new PolicyStatement({
        actions: ['kms:DescribeKey'],
        resources: keys,
        conditions: {
          StringEquals: { 'aws:ResourceTag/application': 'billing-operations', 'aws:ResourceTag/environment': name },
        },
      }),
      // The list of buckets has no resource: the action is on none.
      // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-actions-as-permissions
      new PolicyStatement({ actions: ['s3:ListAllMyBuckets'], resources: ['*'] }),
    ]) {
      role.addToPrincipalPolicy(statement);
    }
    const existing = DATABASE_NAMES.flatMap((each) => {
      const settings = databases[each];
      const instance = settings.kind === 'existing' ? instanceBehind(settings) : undefined;
      return instance === undefined ? [] : [rdsInstanceArn(stack, instance.id, instance.region)];
    });
    if (existing.length > 0) {
      role.addToPrincipalPolicy(
        new PolicyStatement({ actions: ['rds:DescribeDBInstances'], resources: [...new Set(existing)] }),
      );
    }
    acknowledgeWildcards(
      role,
      { resources: listed, reason: 'CloudFormation adds an id of its own to the name of a stack' },
      { resources: keys, reason: 'Ids of keys are generated; only those with the tags of the environment' },
      { resources: ['*'], reason: 'A list of buckets has no resource' },
    );
  }

  /** Apart from the alerts: what pages on-call for an alert must not page for a report. */
  private reports({ config }: OperationsContext): Topic {
    const topic = new Topic(this, 'Reports', {
      displayName: `Billing reports (${config.name})`,
      // Of AWS: only this function publishes, by its role, and a report holds neither secrets nor personal data.
      masterKey: Alias.fromAliasName(this, 'TopicKey', 'alias/aws/sns'),
      enforceSSL: true,
    });
    for (const address of config.alarmEmails.warning) topic.addSubscription(new EmailSubscription(address));
    return topic;
  }
}

/** @param region of the instance. @default - that of the stack */
function rdsInstanceArn(stack: Stack, id: string, region?: string): string {
  return stack.formatArn({
    service: 'rds',
    region,
    resource: 'db',
    resourceName: id,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

/**
 * ARN of a stack of an environment, but for the id that CloudFormation adds to it.
 *
 * @param region of the stack. @default - that of `scope`
 */
function stackArn(scope: Construct, environmentName: string, stack: string, region?: string): string {
  return Stack.of(scope).formatArn({
    service: 'cloudformation',
    region,
    resource: 'stack',
    resourceName: `${functionName(environmentName, stack)}/*`,
  });
}
