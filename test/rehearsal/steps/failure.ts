import { isDeepStrictEqual } from 'node:util';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { check, waitUntil } from '../../../local/pass/check';
import { emittedMetrics, publish } from '../emitted-metrics';
import { takeMessages } from '../queues';
import type { RehearsalStep } from '../rehearsal';
import { subscribe, type Page } from '../subscriber';

const ARRIVAL_TIMEOUT_MS = 30_000;

/** What Lambda sends to a failure destination. */
interface FailureRecord {
  readonly requestPayload?: unknown;
  readonly responsePayload?: unknown;
}

/** A backup of a database that has no schema yet fails each attempt, as a schedule would see it. */
export const failIntoDestination: RehearsalStep = {
  title: 'A function that fails reaches its failure destination',
  async run({ deployment, options }, tell) {
    const { clients, config } = options;
    const request = { database: 'billing' };
    await clients.lambda.send(
      new InvokeCommand({
        FunctionName: `BillingOps-${config.name}-backup`,
        InvocationType: 'Event',
        Payload: JSON.stringify(request),
      }),
    );
    const queue = await deployment.find('Operations', 'AWS::SQS::Queue', 'BackupFailures');
    const records: FailureRecord[] = [];
    // Ours, not that of a schedule that came round meanwhile.
    const ours = () => records.find(({ requestPayload }) => isDeepStrictEqual(requestPayload, request));
    await waitUntil(async () => {
      const bodies = await takeMessages(clients.sqs, queue.physicalId);
      records.push(...bodies.map((body) => JSON.parse(body) as FailureRecord));
      return ours() ? undefined : `the queue of failures holds ${records.length} others`;
    }, ARRIVAL_TIMEOUT_MS);
    const record = ours();
    check(record?.responsePayload !== undefined, 'the record does not say what the function answered');
    tell(`asked for ${JSON.stringify(record.requestPayload)}, answered ${JSON.stringify(record.responsePayload)}`);
  },
};

/** The failure of the previous step reaches the on-call subscriber. */
export const pageOnCall: RehearsalStep = {
  title: 'An alarm on one metric goes to its topic and on to a subscriber',
  async run(rehearsal, tell) {
    const { clients, config } = rehearsal.options;
    const topics = (await rehearsal.deployment.resources('Monitoring')).filter(
      ({ type }) => type === 'AWS::SNS::Topic',
    );
    const subscriber = await subscribe(
      clients,
      topics.map(({ physicalId }) => physicalId),
    );
    const emitted = await emittedMetrics(clients, `BillingOps-${config.name}-backup`);
    const failure = emitted.find(({ name, value }) => name === BACKUP_METRICS.failed && value > 0);
    check(failure !== undefined, `the backup function did not count its failure as ${BACKUP_METRICS.failed}`);
    const dimensions = Object.entries(failure.dimensions).map(([name, value]) => `${name}=${value}`);
    tell(`emitted: ${failure.namespace} ${failure.name} {${dimensions.join(', ')}}`);
    await publish(clients, failure);

    const expected = `BillingOps-${config.name}-backupFailed-billing`;
    const pages: Page[] = [];
    await waitUntil(async () => {
      pages.push(...(await subscriber.pages()));
      return pages.some(({ AlarmName: name }) => name === expected) ? undefined : `no page of ${expected} arrived`;
    }, ARRIVAL_TIMEOUT_MS);
    const page = pages.find(({ AlarmName: name }) => name === expected);
    check(page?.NewStateValue === 'ALARM', `the page says ${page?.NewStateValue}`);
    tell(`paged: ${page.AlarmName}: ${page.AlarmDescription}`);
  },
};
