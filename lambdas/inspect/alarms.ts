import { paginateDescribeAlarms, type CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { messageOf } from '../../core/runtime/errors';
import type { InspectionReport } from './contract';

type Alarms = NonNullable<InspectionReport<'alarms'>['alarms']>;

/**
 * The raised alarms of an environment, those that began last first. It never throws: an answer without alarms says why.
 *
 * @param prefix with which the names of its alarms begin
 */
export async function listRaisedAlarms(client: CloudWatchClient, prefix: string): Promise<InspectionReport<'alarms'>> {
  try {
    return { action: 'alarms', alarms: await raisedAlarms(client, prefix), problem: null };
  } catch (error) {
    return { action: 'alarms', alarms: null, problem: messageOf(error) };
  }
}

async function raisedAlarms(client: CloudWatchClient, prefix: string): Promise<Alarms> {
  const alarms: Alarms = [];
  for await (const page of paginateDescribeAlarms({ client }, { AlarmNamePrefix: prefix, StateValue: 'ALARM' })) {
    for (const alarm of page.MetricAlarms ?? []) {
      alarms.push({
        name: alarm.AlarmName ?? '',
        since: alarm.StateUpdatedTimestamp?.toISOString() ?? null,
        reason: alarm.StateReason ?? '',
        text: alarm.AlarmDescription ?? '',
      });
    }
  }
  return alarms.toSorted((a, b) => ((a.since ?? '') < (b.since ?? '') ? 1 : -1));
}
