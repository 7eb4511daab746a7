import { functionName } from '../core/contract';
import type { NotifyingAlarm } from '../lambdas/inspect/pipeline/contract';
import type { Clients } from './aws/clients';
import type { Target } from './aws/target';
import { explain } from './errors';

/**
 * The alarms of an environment that notify.
 *
 * @param all also those that are not raised
 */
export async function listAlarms(clients: Clients, target: Target, all = false): Promise<NotifyingAlarm[]> {
  const { paginateDescribeAlarms } = await import('@aws-sdk/client-cloudwatch');
  const { ALARM_TYPES, notifyingAlarms } = await import('../lambdas/inspect/pipeline/contract');
  const found: NotifyingAlarm[] = [];
  try {
    const client = await clients.alarms();
    const AlarmNamePrefix = functionName(target.environment, '');
    const query = { AlarmNamePrefix, AlarmTypes: [...ALARM_TYPES], ...(all ? {} : { StateValue: 'ALARM' as const }) };
    for await (const page of paginateDescribeAlarms({ client }, query)) found.push(...notifyingAlarms(page));
  } catch (cause) {
    throw explain(cause, 'list the alarms', target.label);
  }
  return found;
}
