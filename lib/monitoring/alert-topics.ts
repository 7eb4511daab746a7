import { Arn, ArnFormat, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import type { Severity } from '../config/alarms/alarm-definition';
import { OWNERS, type Owner } from '../config/alarms/owners';

export interface AlertTopicsProps {
  /** Names the topics; has the e-mail addresses to subscribe, and the groups with topics of their own. */
  readonly config: EnvironmentConfig;
}

/** The topic of each severity. */
export type SeverityTopics = Readonly<Record<Severity, Topic>>;

/** What topics of one environment have in common. */
interface TopicOptions {
  readonly key: Key;
  /** Ends the name that subscribers see, such as `(production)`. */
  readonly of: string;
  readonly emails: EnvironmentConfig['alarmEmails'];
}

/**
 * One topic for each severity, for all groups or for those that have none of their own; encrypted with a key that CloudWatch
 * may use: with the AWS-managed key, no alarm would arrive.
 */
export class AlertTopics extends Construct {
  /** Topics of the groups that have none of their own. */
  readonly shared: SeverityTopics;
  /** Topics of the groups that have their own. */
  readonly routed: ReadonlyMap<Owner, SeverityTopics>;

  constructor(scope: Construct, id: string, props: AlertTopicsProps) {
    super(scope, id);
    const { config } = props;
    const key = this.key(config);
    this.shared = severityTopics(this, { key, of: `(${config.name})`, emails: config.alarmEmails });
    this.routed = new Map(
      OWNERS.flatMap((owner) => {
        const emails = config.alarmOwners[owner];
        if (emails === undefined) return [];
        const own = new Construct(this, `${owner.charAt(0).toUpperCase()}${owner.slice(1)}`);
        return [[owner, severityTopics(own, { key, of: `of ${owner} (${config.name})`, emails })] as const];
      }),
    );
  }

  /** The topics that alerts of a group are published to. */
  of(owner: Owner): SeverityTopics {
    return this.routed.get(owner) ?? this.shared;
  }

  private key({ name }: EnvironmentConfig): Key {
    const key = new Key(this, 'Key', {
      description: `Alerts (${name})`,
      enableKeyRotation: true,
      // It protects messages in transit only.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [CLOUD_WATCH],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        // In a key's policy, `*` is this key.
        resources: ['*'],
        conditions: fromAlarmsOf(this),
      }),
    );
    key.addToResourcePolicy(
      new PolicyStatement({ principals: [EVENTS], actions: ['kms:Decrypt', 'kms:GenerateDataKey*'], resources: ['*'] }),
    );
    return key;
  }
}

const CLOUD_WATCH = new ServicePrincipal('cloudwatch.amazonaws.com');
/**
 * EventBridge, as its guide says for topics: by the policies of the topic and its key. A role of the rule may keep messages from an
 * encrypted topic, and conditions are not among what the guide says to work.
 */
const EVENTS = new ServicePrincipal('events.amazonaws.com');

/** Only alarms of this account: without the condition, an alarm of any account could publish through CloudWatch. */
function fromAlarmsOf(scope: Construct): Record<string, Record<string, string>> {
  const stack = Stack.of(scope);
  const alarms = Arn.format(
    { service: 'cloudwatch', resource: 'alarm', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME },
    stack,
  );
  return { StringEquals: { 'aws:SourceAccount': stack.account }, ArnLike: { 'aws:SourceArn': alarms } };
}

function severityTopics(scope: Construct, options: TopicOptions): SeverityTopics {
  return { warning: topicOf(scope, 'warning', options), critical: topicOf(scope, 'critical', options) };
}

function topicOf(scope: Construct, severity: Severity, { key, of, emails }: TopicOptions): Topic {
  const topic = new Topic(scope, severity === 'warning' ? 'Warning' : 'Critical', {
    displayName: `Billing ${severity} ${of}`,
    masterKey: key,
    enforceSSL: true,
  });
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [CLOUD_WATCH],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: fromAlarmsOf(scope),
    }),
  );
  topic.addToResourcePolicy(
    new PolicyStatement({ principals: [EVENTS], actions: ['sns:Publish'], resources: [topic.topicArn] }),
  );
  new CfnOutput(scope, severity === 'warning' ? 'WarningTopic' : 'CriticalTopic', {
    description: 'Topic to subscribe on-call to',
    value: topic.topicArn,
  });
  for (const address of emails[severity]) topic.addSubscription(new EmailSubscription(address));
  return topic;
}
