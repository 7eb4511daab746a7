import type { SQSClient } from '@aws-sdk/client-sqs';
import { startEventSource } from '../aws/event-source';
import type { KeepFailure } from '../aws/failure-destination';
import { startScheduler, type Scheduler } from '../aws/scheduler';
import type { PlatformTemplate } from '../template/platform-template';
import type { Teardown } from '../runtime/teardown';
import type { Activity } from './activity';
import type { PlatformFunctions } from './functions';

export interface ConsumerOptions {
  readonly template: PlatformTemplate;
  readonly functions: PlatformFunctions;
  readonly sqs: SQSClient;
  /** Takes a scheduled request that failed. */
  readonly keepFailure: KeepFailure;
  readonly activity: Activity;
  readonly log: (message: string) => void;
}

/**
 * Begins to take messages from the queues and to run the schedules.
 *
 * @throws when the template joins an event source to a queue or a function that it does not have
 */
export function startConsumers(
  { template, functions, sqs, keepFailure, activity, log }: ConsumerOptions,
  teardown: Teardown,
): Scheduler {
  for (const definition of template.eventSources) {
    const queue = template.queues.find(({ arn }) => arn === definition.queueArn);
    if (queue === undefined) throw new Error(`The template has no queue ${definition.queueArn}.`);
    const target = functions.byName(definition.functionName);
    const source = startEventSource({
      sqs,
      definition,
      queue,
      region: template.region,
      invoke: (event) => target.invoke(event),
      observe: (outcome) => activity.batch({ ...outcome, functionName: target.definition.name }),
      log,
    });
    teardown.add(() => source.stop());
  }
  const scheduler = startScheduler({
    schedules: template.schedules,
    invoke: async (arn, input) => {
      const target = functions.byArn(arn);
      try {
        return await target.invoke(input);
      } catch (error) {
        await keepFailure(target, input, error);
        throw error;
      }
    },
    observe: (outcome) => activity.job(outcome),
  });
  teardown.add(() => scheduler.stop());
  return scheduler;
}
