import { defineCommand } from '../command';
import { explain } from '../errors';
import { failureQueueUrl } from '../failures';
import { optional, required, text } from '../values';

export const failuresClear = defineCommand({
  name: 'failures clear',
  summary: 'Forgets the failed requests to a function, once they were made again by hand',
  details: 'The alarm on failed starts stays until the queue is empty.',
  effect: 'changes',
  changes: 'deletes the messages of the failure queue of the function.',
  json: '`{function}`',
  arguments: { function: required(text('function'), 'The function, such as backup') },
  options: { confirm: optional(text('function'), 'The name of the function, typed again') },
  examples: [{ line: 'failures clear backup --confirm backup', explains: 'End the alarm after the backup was made.' }],
  async run(context, { function: stem, confirm }) {
    const QueueUrl = await failureQueueUrl(context, stem);
    await context.confirm(stem, confirm, `The failed requests to ${stem} would be deleted.`);
    const { PurgeQueueCommand } = await import('@aws-sdk/client-sqs');
    try {
      await (await context.clients.sqs()).send(new PurgeQueueCommand({ QueueUrl }));
    } catch (cause) {
      throw explain(cause, `empty the failure queue of ${stem}`, context.target.label);
    }
    return { report: { function: stem }, lines: [`The failed requests to ${stem} are forgotten`] };
  },
});
