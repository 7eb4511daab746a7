import { SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { check } from '../../local/pass/check';
import type { Clients } from './clients';
import { takeMessages } from './queues';

/** An alarm as on-call gets it. */
export interface Page {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly NewStateValue: string;
}

/** On-call's tool: a queue that is subscribed to topics. */
export interface Subscriber {
  /** Pages that arrived since the last call. */
  pages(): Promise<Page[]>;
}

/** Subscribes a queue of its own, which no stack knows, as a company would its paging tool. */
export async function subscribe({ sns, sqs }: Clients, topicArns: readonly string[]): Promise<Subscriber> {
  const { QueueUrl: url } = await sqs.send(new CreateQueueCommand({ QueueName: 'on-call' }));
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] });
  const { Attributes: { QueueArn: arn } = {} } = await sqs.send(command);
  check(url !== undefined && arn !== undefined, 'the queue of the subscriber was not made');
  for (const topic of topicArns) {
    await sns.send(new SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: arn }));
  }
  return {
    async pages() {
      const bodies = await takeMessages(sqs, url);
      return bodies.map((body) => JSON.parse((JSON.parse(body) as { Message: string }).Message) as Page);
    },
  };
}
