import { RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Severity } from '../config/alarms/alarm-definition';
import type { AlertTopics, SeverityTopics } from './alert-topics';

export interface AlertTargetProps {
  /** Topics of the groups, to which messages are published. */
  readonly topics: AlertTopics;
  /** Holds events that EventBridge could not deliver to a topic. Its alarm reaches the topics by another way. */
  readonly undelivered: IQueue;
}

/**
 * Sends the text about an event to the topic of a severity, by the policies of the topic and its key.
 *
 * @param topics those of the group that owns the event
 */
export function alertTarget(topics: SeverityTopics, severity: Severity, text: string, undelivered: IQueue): SnsTopic {
  return new SnsTopic(topics[severity], { deadLetterQueue: undelivered, message: RuleTargetInput.fromText(text) });
}
