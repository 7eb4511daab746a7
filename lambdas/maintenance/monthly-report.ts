import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { ClientBase } from 'pg';
import { InvalidRequestError, messageOf, OperationError } from '../../core/runtime/errors';
import type { MaintenanceReport } from './contract';
import { beginTask, finishTask } from './records';
import { type FactSources, gatherFacts } from './report-facts';
import { writeReport } from './report-text';

export interface ReportDependencies extends FactSources {
  readonly sns: SNSClient;
  /** Empty where nothing is sent. */
  readonly topicArn: string;
  /** Runs `work` with a connection to the billing database, which keeps the record of what was sent. */
  readonly withBilling: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
}

/**
 * Writes the monthly report, and sends it where that is asked for. What was sent is recorded, so that its absence shows.
 *
 * @throws InvalidRequestError when it is to be sent and there is no topic, before anything is looked up
 * @throws OperationError `report_unsent` (retryable) when the topic does not take the message
 */
export async function reportMonthly(
  dependencies: ReportDependencies,
  { send }: { readonly send: boolean },
): Promise<Extract<MaintenanceReport, { action: 'report' }>> {
  const { clock, withBilling, topicArn } = dependencies;
  if (send && topicArn === '') {
    throw new InvalidRequestError(
      'send: this environment has no topic of reports, as the local platform has none; leave it out to read the report',
    );
  }
  const written = writeReport(await gatherFacts(dependencies));
  if (send) {
    const startedAt = clock();
    await publish(dependencies, written);
    await withBilling(async (client) => {
      const id = await beginTask(client, 'report', startedAt);
      const result = { decisions: written.decisions };
      await finishTask(client, id, { at: clock(), outcome: 'done', result, error: null });
    });
  }
  return { action: 'report', ...written, sent: send };
}

async function publish(
  { sns, topicArn }: ReportDependencies,
  { subject, text }: { readonly subject: string; readonly text: string },
): Promise<void> {
  try {
    await sns.send(new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: text }));
  } catch (cause) {
    throw new OperationError('report_unsent', `SNS did not take the report: ${messageOf(cause)}`, { cause });
  }
}
