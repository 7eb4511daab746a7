import { functionName } from '../core/contract';
import type { Clients } from './aws/clients';
import type { Target } from './aws/target';
import { explain } from './errors';

/** An alarm of CloudWatch. */
export interface AlarmState {
  readonly name: string;
  readonly state: string;
  /** ISO time at which it came into this state. */
  readonly since: string | null;
  readonly reason: string;
  /** What is wrong, what to do, and links. */
  readonly text: string;
}

/**
 * The alarms of an environment.
 *
 * @param all also those that are not raised
 */
export async function listAlarms(clients: Clients, target: Target, all = false): Promise<AlarmState[]> {
  const { paginateDescribeAlarms } = await import('@aws-sdk/client-cloudwatch');
  const found: AlarmState[] = [];
  try {
    const client = await clients.alarms();
    const AlarmNamePrefix = functionName(target.environment, '');
    const state = all ? {} : { StateValue: 'ALARM' as const };
    for await (const page of paginateDescribeAlarms({ client }, { AlarmNamePrefix, ...state })) {
      for (const alarm of page.MetricAlarms ?? []) {
        found.push({
          name: alarm.AlarmName ?? '',
          state: alarm.StateValue ?? '',
          since: alarm.StateUpdatedTimestamp?.toISOString() ?? null,
          reason: alarm.StateReason ?? '',
          text: alarm.AlarmDescription ?? '',
        });
      }
    }
  } catch (cause) {
    throw explain(cause, 'list the alarms', target.label);
  }
  return found;
}
