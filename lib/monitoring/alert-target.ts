import { RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Severity } from '../config/alarms/alarm-definition';

export interface AlertTargetProps {
  /** Topics that messages are published to. */
  readonly topics: Readonly<Record<Severity, ITopic>>;
  /** Holds events that EventBridge could not deliver to a topic. Its alarm reaches the topics by another way. */
  readonly undelivered: IQueue;
}

/** Sends the text about an event to the topic of a severity, by the policies of the topic and its key. */
export function alertTarget({ topics, undelivered }: AlertTargetProps, severity: Severity, text: string): SnsTopic {
  return new SnsTopic(topics[severity], { deadLetterQueue: undelivered, message: RuleTargetInput.fromText(text) });
}
