import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { AlertTopics } from '../monitoring/alert-topics';
import { FailureEvents } from '../monitoring/failure-events';
import { OperationalAlarms } from '../monitoring/operational-alarms';
import { ThresholdAlarms } from '../monitoring/threshold-alarms';
import { watchedMetrics } from '../monitoring/watched-metrics';
import { queueParameterName } from '../operations/event-queue';
import type { DataStack } from './data-stack';
import { EnvironmentStack } from './environment-stack';
import type { OperationsStack } from './operations-stack';

export interface MonitoringStackProps {
  readonly config: EnvironmentConfig;
  readonly data: DataStack;
  readonly operations: OperationsStack;
}

/** Watches the other two. Nothing depends on it. */
export class MonitoringStack extends EnvironmentStack {
  constructor(scope: Construct, props: MonitoringStackProps) {
    const { config, data, operations } = props;
    super(scope, 'Monitoring', { config, description: `Alarms of billing (${config.name})` });
    this.addStackDependency(operations);

    // Read when this stack is deployed, which is after the other.
    const queueName = (queue: 'events' | 'parked') =>
      StringParameter.valueForStringParameter(this, queueParameterName(config.name, queue));
    const computed = config.computedAlarms;
    const { topics } = new AlertTopics(this, 'Alerts', { config });
    new ThresholdAlarms(this, 'Thresholds', {
      environmentName: config.name,
      topics,
      computed,
      metrics: watchedMetrics({
        environmentName: config.name,
        instanceIdentifiers: {
          billing: data.databases.billing.instanceIdentifier,
          main: data.databases.main.instanceIdentifier,
        },
        eventQueueName: queueName('events'),
      }),
    });
    new OperationalAlarms(this, 'Jobs', { config, topics, parkedQueueName: queueName('parked') });
    new FailureEvents(this, 'FailureEvents', { environmentName: config.name, critical: topics.critical });
  }
}
