import { paginateDescribeAlarms, type CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { messageOf } from '../../core/runtime/errors';
import type { InspectionReport } from './contract';
import { ALARM_TYPES, notifyingAlarms } from './pipeline/contract';

type Alarms = NonNullable<InspectionReport<'alarms'>['alarms']>;

/** What a service answers that knows metrics and has no alarms, as that of the local platform; CloudWatch never does. */
const HAS_NO_ALARMS = 'InvalidAction';

/**
 * The raised alarms of an environment that notify, those that began last first. It never throws: an answer without alarms says why.
 *
 * @param prefix with which the names of its alarms begin
 */
export async function listRaisedAlarms(client: CloudWatchClient, prefix: string): Promise<InspectionReport<'alarms'>> {
  try {
    return { action: 'alarms', isEvaluated: true, alarms: await raisedAlarms(client, prefix), problem: null };
  } catch (error) {
    const isEvaluated = !(error instanceof Error && error.name === HAS_NO_ALARMS);
    return { action: 'alarms', isEvaluated, alarms: null, problem: messageOf(error) };
  }
}

async function raisedAlarms(client: CloudWatchClient, prefix: string): Promise<Alarms> {
  const alarms: Alarms = [];
  const query = { AlarmNamePrefix: prefix, AlarmTypes: [...ALARM_TYPES], StateValue: 'ALARM' as const };
  for await (const page of paginateDescribeAlarms({ client }, query)) {
    alarms.push(...notifyingAlarms(page).map(({ name, since, reason, text }) => ({ name, since, reason, text })));
  }
  return alarms.toSorted((a, b) => ((a.since ?? '') < (b.since ?? '') ? 1 : -1));
}
