import { Arn, ArnFormat, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { SEVERITIES, type Severity } from '../config/alarms/alarm-definition';

export interface AlertTopicsProps {
  /** Names the topics; has the e-mail addresses to subscribe. */
  readonly config: EnvironmentConfig;
}

/**
 * One topic for each severity, encrypted with a key that CloudWatch may use: with the AWS-managed key, no alarm would
 * arrive.
 */
export class AlertTopics extends Construct {
  readonly topics: Readonly<Record<Severity, Topic>>;

  constructor(scope: Construct, id: string, props: AlertTopicsProps) {
    super(scope, id);
    const { config } = props;
    const key = new Key(this, 'Key', {
      description: `Alerts (${config.name})`,
      enableKeyRotation: true,
      // It protects messages in transit only.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const cloudWatch = new ServicePrincipal('cloudwatch.amazonaws.com');
    // Only alarms of this account: without the condition, an alarm of any account could publish through CloudWatch.
    const fromOurAlarms = {
      StringEquals: { 'aws:SourceAccount': config.account },
      ArnLike: {
        'aws:SourceArn': Arn.format(
          { service: 'cloudwatch', resource: 'alarm', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME },
          Stack.of(this),
        ),
      },
    };
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [cloudWatch],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        // In a key's policy, `*` is this key.
        resources: ['*'],
        conditions: fromOurAlarms,
      }),
    );
    // EventBridge, as its guide says for topics: by the policies of the topic and its key. A role of the rule may keep
    // messages from an encrypted topic, and conditions are not among what the guide says to work.
    const events = new ServicePrincipal('events.amazonaws.com');
    key.addToResourcePolicy(
      new PolicyStatement({ principals: [events], actions: ['kms:Decrypt', 'kms:GenerateDataKey*'], resources: ['*'] }),
    );
    const topicOf = (severity: Severity): Topic => {
      const topic = new Topic(this, severity === 'warning' ? 'Warning' : 'Critical', {
        displayName: `Billing ${severity} (${config.name})`,
        masterKey: key,
        enforceSSL: true,
      });
      topic.addToResourcePolicy(
        new PolicyStatement({
          principals: [cloudWatch],
          actions: ['sns:Publish'],
          resources: [topic.topicArn],
          conditions: fromOurAlarms,
        }),
      );
      topic.addToResourcePolicy(
        new PolicyStatement({ principals: [events], actions: ['sns:Publish'], resources: [topic.topicArn] }),
      );
      new CfnOutput(this, severity === 'warning' ? 'WarningTopic' : 'CriticalTopic', {
        description: 'Topic to subscribe on-call to',
        value: topic.topicArn,
      });
      for (const address of config.alarmEmails[severity]) topic.addSubscription(new EmailSubscription(address));
      return topic;
    };
    this.topics = { warning: topicOf(SEVERITIES[0]), critical: topicOf(SEVERITIES[1]) };
  }
}
