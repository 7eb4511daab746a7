import { ArnFormat, Stack } from 'aws-cdk-lib';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { EventBus as BusTarget } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy } from '../policy/acknowledge-permissions';
import { KEY_ENDANGERED } from './failure-events';

export interface ForwardedKeyEventsProps {
  /** Region of the environment, whose default bus gets the events. */
  readonly region: string;
}

/** Forwards what endangers the keys of the second region to the region that has the topics: KMS reports it nowhere else. */
export class ForwardedKeyEvents extends Construct {
  constructor(scope: Construct, id: string, props: ForwardedKeyEventsProps) {
    super(scope, id);
    const arn = Stack.of(this).formatArn({
      service: 'events',
      region: props.region,
      resource: 'event-bus',
      resourceName: 'default',
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Forwards events about keys to the region of the environment',
    });
    acknowledgeOwnPolicy(role);
    const rule = new Rule(this, 'Rule', {
      description: 'Keys of the second region that were disabled or are to be deleted',
      eventPattern: KEY_ENDANGERED,
    });
    acknowledge(rule, {
      nag: ['Serverless-EventBusDLQ'],
      reason: 'EventBridge retries for 24 h; KMS deletes a key after seven days at the earliest',
    });
    rule.addTarget(new BusTarget(EventBus.fromEventBusArn(this, 'Bus', arn), { role }));
  }
}
