import type { RDSClient } from '@aws-sdk/client-rds';
import { DATABASE_NAMES, functionName, type DatabaseName } from '../../core/contract';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { CommandError, explain } from '../errors';
import { daysSince } from '../limits';
import { moment } from '../print/units';
import { type Finding, judged } from './finding';

/** States of a stack after which a deployment succeeded. */
export const SETTLED = /^(?:CREATE|UPDATE|IMPORT)_COMPLETE$/;
/** Minutes by which RDS may lag with what it can restore to. */
const RESTORABLE_LIMIT_MINUTES = 15;
/** Days from which the newest recovery point of AWS Backup is too old: it is daily. */
const RECOVERY_POINT_LIMIT_DAYS = 26 / 24;
/** Concurrency that Lambda keeps for functions without a reservation. */
const UNRESERVED_LIMIT = 100;
/** Share of the quota of manual snapshots from which a migration may find none left, in percent. */
const SNAPSHOTS_LIMIT_PERCENT = 80;

/** Whether every stack is deployed, and not known to have drifted. */
export async function checkStacks({ clients, target }: Context): Promise<Finding[]> {
  const { paginateDescribeStacks } = await import('@aws-sdk/client-cloudformation');
  const prefix = functionName(target.environment, '');
  const found: { readonly name: string; readonly status: string; readonly drift: string }[] = [];
  try {
    const client = await clients.cloudFormation();
    for await (const { Stacks = [] } of paginateDescribeStacks({ client }, {})) {
      for (const { StackName: name = '', StackStatus: status = '', DriftInformation } of Stacks) {
        if (name.startsWith(prefix)) found.push({ name, status, drift: DriftInformation?.StackDriftStatus ?? '' });
      }
    }
  } catch (cause) {
    throw explain(cause, 'describe the stacks', target.label);
  }
  const unsettled = found.filter(({ status }) => !SETTLED.test(status));
  const drifted = found.filter(({ drift }) => drift === 'DRIFTED').map(({ name }) => name);
  const unchecked = found.filter(({ drift }) => drift !== 'DRIFTED' && drift !== 'IN_SYNC').length;
  return [
    judged(
      'stacks',
      found.length > 0 && unsettled.length === 0,
      found.length === 0
        ? 'none is deployed'
        : unsettled.map(({ name, status }) => `${name} is ${status}`).join(', ') || `${found.length} are deployed`,
      `npx cdk deploy -c env=${target.environment} --all`,
    ),
    judged(
      'drift of stacks',
      drifted.length === 0,
      drifted.join(', ') || (unchecked === 0 ? 'in sync' : `none known; ${unchecked} were never compared`),
      `aws cloudformation describe-stack-resource-drifts --stack-name ${drifted[0] ?? ''}, then deploy again`,
    ),
  ];
}

/** Point-in-time recovery of RDS, and the recovery points of AWS Backup. Archives are a check of their own. */
export async function checkBackupTiers(context: Context): Promise<Finding[]> {
  // First: the local platform has none.
  const rds = await context.clients.rds();
  const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector');
  const identifiers = {
    billing: variables.BILLING_INSTANCE_IDENTIFIER ?? '',
    main: variables.MAIN_INSTANCE_IDENTIFIER ?? '',
  };
  const onRds = DATABASE_NAMES.filter((database) => identifiers[database] !== '');
  try {
    return (await Promise.all(onRds.map((database) => tiersOf(context, rds, database, identifiers[database])))).flat();
  } catch (cause) {
    throw explain(cause, 'describe the backups of RDS', context.target.label);
  }
}

async function tiersOf(
  { now }: Context,
  client: RDSClient,
  database: DatabaseName,
  DBInstanceIdentifier: string,
): Promise<Finding[]> {
  const { DescribeDBInstancesCommand, paginateDescribeDBSnapshots } = await import('@aws-sdk/client-rds');
  const { DBInstances: [instance] = [] } = await client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
  const restorable = instance?.LatestRestorableTime?.toISOString() ?? null;
  const points: string[] = [];
  const request = { DBInstanceIdentifier, SnapshotType: 'awsbackup' };
  for await (const page of paginateDescribeDBSnapshots({ client }, request)) {
    points.push(...(page.DBSnapshots ?? []).flatMap(({ SnapshotCreateTime: at }) => at?.toISOString() ?? []));
  }
  const newest = points.toSorted().at(-1) ?? null;
  return [
    judged(
      `point in time of ${database}`,
      restorable !== null && daysSince(restorable, now()) * 1440 <= RESTORABLE_LIMIT_MINUTES,
      `to ${moment(restorable, now())}, kept for ${instance?.BackupRetentionPeriod ?? 0} days`,
      `look at the automated backups of ${DBInstanceIdentifier}: ops open console`,
    ),
    judged(
      `recovery point of ${database}`,
      newest !== null && daysSince(newest, now()) <= RECOVERY_POINT_LIMIT_DAYS,
      newest === null ? 'there is none' : moment(newest, now()),
      'docs/runbook.md#recovery-points-stale',
    ),
  ];
}

/** Output with a topic of the alarms: that of all groups, or of the one that it names. */
const TOPIC_OUTPUT = /^Alerts(\w*?)(Critical|Warning)Topic/;

/** Whether each topic of the alarms reaches somebody who confirmed. */
export async function checkTopics(context: Context): Promise<Finding[]> {
  const { clients, target } = context;
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const { ListSubscriptionsByTopicCommand } = await import('@aws-sdk/client-sns');
  try {
    const cloudFormation = await clients.cloudFormation();
    const StackName = functionName(target.environment, 'Monitoring');
    const { Stacks: stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
    const topics = (stacks[0]?.Outputs ?? []).filter(({ OutputKey = '' }) => TOPIC_OUTPUT.test(OutputKey));
    if (topics.length === 0) throw new CommandError('failed', `${StackName} prints no topic: deploy Monitoring`);
    const sns = await clients.sns();
    return await Promise.all(
      topics.map(async ({ OutputKey = '', OutputValue: TopicArn = '' }) => {
        const { Subscriptions: found = [] } = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
        const confirmed = found.filter(({ SubscriptionArn = '' }) => SubscriptionArn.startsWith('arn:'));
        const [, owner = '', severity = ''] = TOPIC_OUTPUT.exec(OutputKey) ?? [];
        const whose = `${owner} ${severity}`.trim().toLowerCase();
        const pending = found.length - confirmed.length;
        return judged(
          `${whose} topic`,
          confirmed.length > 0,
          `${confirmed.length} subscribed${pending > 0 ? `, ${pending} not confirmed` : ''}`,
          pending > 0
            ? 'confirm by the link that was sent'
            : `aws sns subscribe --topic-arn ${TopicArn} --protocol email --notification-endpoint <address>`,
        );
      }),
    );
  } catch (cause) {
    throw explain(cause, 'look at the topics of the alarms', target.label);
  }
}

/** Whether the account has room for what the platform may need next. */
export async function checkQuotas({ clients, target }: Context): Promise<Finding[]> {
  const { DescribeAccountAttributesCommand } = await import('@aws-sdk/client-rds');
  const { GetAccountSettingsCommand } = await import('@aws-sdk/client-lambda');
  try {
    // First: the local platform has none.
    const rds = await clients.rds();
    const { AccountLimit: limit } = await (await clients.lambda()).send(new GetAccountSettingsCommand({}));
    const unreserved = limit?.UnreservedConcurrentExecutions ?? 0;
    const { AccountQuotas: quotas = [] } = await rds.send(new DescribeAccountAttributesCommand({}));
    const snapshots = quotas.find(({ AccountQuotaName }) => AccountQuotaName === 'ManualSnapshots');
    const { Used: used = 0, Max: most = 0 } = snapshots ?? {};
    const percent = most === 0 ? 0 : (100 * used) / most;
    return [
      judged(
        'concurrency of Lambda',
        unreserved >= UNRESERVED_LIMIT,
        `${unreserved} of ${limit?.ConcurrentExecutions ?? 0} are not reserved`,
        'ask AWS for more: Service Quotas, Lambda, concurrent executions',
      ),
      judged(
        'snapshots of RDS',
        percent <= SNAPSHOTS_LIMIT_PERCENT,
        `${used} of ${most} manual ones`,
        'delete old ones, or ask AWS for more: Service Quotas, RDS, manual DB instance snapshots',
      ),
    ];
  } catch (cause) {
    throw explain(cause, 'read the quotas', target.label);
  }
}
