import { Duration } from 'aws-cdk-lib';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { removalPolicyOf } from '../config/removal-policy';
import type { Severity } from '../config/alarms/alarm-definition';
import { alarmsOf } from '../config/alarms/alarms';
import type { TextContext } from '../monitoring/alarm-text';
import { Alarms } from '../monitoring/alarms';
import { dashboardSections, nightSections } from '../config/dashboard/sections';
import { ArchiveNotifications } from '../monitoring/archive-notifications';
import { AlertTopics, type SeverityTopics } from '../monitoring/alert-topics';
import { DatabaseLogMetrics } from '../monitoring/database-log-metrics';
import { Dashboards } from '../monitoring/dashboards';
import { FailureEvents } from '../monitoring/failure-events';
import { RecoveryNotifications } from '../monitoring/recovery-notifications';
import { PublishedParameters } from '../data/published-parameters';
import { queueParameterName } from '../operations/event-queue';
import { operationalQueue } from '../operations/operational-queue';
import type { DataStack } from './data-stack';
import { EnvironmentStack } from './environment-stack';
import type { OperationsStack } from './operations-stack';

export interface MonitoringStackProps {
  /** Environment that is watched. */
  readonly config: EnvironmentConfig;
  /** Stack with the databases. */
  readonly data: DataStack;
  /** Stack with the functions and queues, deployed before this one. */
  readonly operations: OperationsStack;
}

/** Alarms and topics. It only consumes: no other stack depends on it. */
export class MonitoringStack extends EnvironmentStack {
  constructor(scope: Construct, props: MonitoringStackProps) {
    const { config, data, operations } = props;
    super(scope, 'Monitoring', { config, description: `Alarms of billing (${config.name})` });
    this.addStackDependency(operations);

    // Resolved when this stack is deployed, which is after Operations.
    const queueName = (queue: 'events' | 'parked') =>
      StringParameter.valueForStringParameter(this, queueParameterName(config.name, queue));
    const { billing, main } = data.databases;
    const topics = new AlertTopics(this, 'Alerts', { config });
    const undelivered = operationalQueue(this, 'Undelivered', {
      retention: Duration.days(14),
      removalPolicy: removalPolicyOf(config.removalProtection),
      endsHere: 'Holds events that could not be delivered to a topic, until an operator looks at them',
    });
    const context: TextContext = {
      account: config.account,
      region: config.region,
      runbookUrl: config.runbookUrl,
      names: {
        environmentName: config.name,
        region: config.region,
        copies: copiesOf(data),
        instanceIdentifiers: { billing: billing.instanceIdentifier, main: main.instanceIdentifier },
        eventQueueName: queueName('events'),
        parkedQueueName: queueName('parked'),
        undeliveredQueueName: undelivered.queueName,
        topicNames: namesOf(topics.shared),
        routedTopicNames: Object.fromEntries([...topics.routed].map(([owner, routed]) => [owner, namesOf(routed)])),
      },
    };
    for (const { access, settings } of data.created) {
      new DatabaseLogMetrics(this, `DatabaseLog-${access.name}`, {
        environmentName: config.name,
        database: access.name,
        instanceIdentifier: settings.instanceIdentifier,
      });
    }
    const { created } = new Alarms(this, 'Alarms', {
      definitions: alarmsOf(config),
      computed: config.computedAlarms,
      topics,
      context,
    });
    if (config.dashboards) {
      new Dashboards(this, 'Dashboards', {
        sections: dashboardSections(config),
        nightSections: nightSections(config),
        alarms: created,
        context,
      });
    }
    new FailureEvents(this, 'FailureEvents', { topics, undelivered, context });
    const archived = data.archivedInParts.map(({ access }) => access.name);
    new ArchiveNotifications(this, 'ArchiveNotifications', { topics, undelivered, context, archived });
    new RecoveryNotifications(this, 'RecoveryNotifications', { topics, undelivered, context });
    new PublishedParameters(this, 'Parameters', {
      environmentName: config.name,
      values: { 'topics/critical': topics.shared.critical.topicArn, 'topics/warning': topics.shared.warning.topicArn },
    });
  }
}

function namesOf({ warning, critical }: SeverityTopics): Readonly<Record<Severity, string>> {
  return { warning: warning.topicName, critical: critical.topicName };
}

function copiesOf({ archiveBucket, recoveryRegion, backupAccount }: DataStack): TextContext['names']['copies'] {
  return {
    source: archiveBucket.bucketName,
    ...(recoveryRegion && { secondRegion: recoveryRegion.archiveBucketName }),
    ...(backupAccount && { backupAccount: backupAccount.archiveBucketName }),
  };
}
