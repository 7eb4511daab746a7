import {
  thresholdsOf,
  type AlarmDefinition,
  type AlertDefinition,
  type Severity,
} from '../config/alarms/alarm-definition';
import { consoleUrl, type ConsoleLocation } from './console-url';

/** What CloudWatch keeps of an alarm's description, in characters. */
const DESCRIPTION_LIMIT = 1024;
/** The longest name that SQS allows a queue, which stands for a name that is known at deployment only. */
const LONGEST_NAME = 'x'.repeat(80);

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 60 * MINUTE_SECONDS;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** What the links in a text are made of. */
export interface TextContext extends ConsoleLocation {
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
}

/**
 * The description of the alarm of one severity: symptom, threshold, owner, first action, runbook and console,
 * a line each.
 *
 * @param alarmName complete name of the alarm
 * @throws Error naming the alarm, when CloudWatch would refuse the text for its length
 */
export function alarmText(alarm: AlarmDefinition, severity: Severity, alarmName: string, context: TextContext): string {
  const text = lines(alarm, severity, context, {
    threshold: thresholdText(alarm, severity),
    console: consoleUrl(alarm.consolePage, context, alarmName),
  });
  const { length } = text.replaceAll(/\$\{Token\[[^\]]+\]\}/g, LONGEST_NAME);
  if (length <= DESCRIPTION_LIMIT) return text;
  throw new Error(
    `alarm ${alarmName}: its text is ${length} characters long, and CloudWatch takes ${DESCRIPTION_LIMIT}: shorten its symptom, its action or runbookUrl`,
  );
}

/** The message about an event that AWS reports: as for an alarm, without a threshold. */
export function eventText(event: AlertDefinition, severity: Severity, context: TextContext): string {
  return lines(event, severity, context, { console: consoleUrl(event.consolePage, context) });
}

function lines(
  { symptom, action, owner, runbookAnchor }: AlertDefinition,
  severity: Severity,
  { names, runbookUrl }: TextContext,
  parts: { readonly threshold?: string; readonly console: string },
): string {
  return [
    `${symptom} (${names.environmentName}, ${severity}).`,
    ...(parts.threshold === undefined ? [] : [`Threshold: ${parts.threshold}.`]),
    `Owner: ${owner}`,
    `Do first: ${action}`,
    `Runbook: ${runbookUrl}#${runbookAnchor}`,
    `Console: ${parts.console}`,
  ].join('\n');
}

/** Such as `Webhook failures above 5 % in 2 of 3 periods of 5 min`. */
function thresholdText(alarm: AlarmDefinition, severity: Severity): string {
  const [, threshold] = thresholdsOf(alarm).find(([name]) => name === severity) ?? [];
  if (threshold === undefined) throw new Error(`alarm ${alarm.name}: it has no ${severity} threshold`);
  const relation = alarm.comparisonOperator === 'GreaterThanThreshold' ? 'above' : 'below';
  const value =
    alarm.unit === 's' ? durationText(threshold) : `${threshold}${alarm.unit === 'count' ? '' : ` ${alarm.unit}`}`;
  const unknown = alarm.treatMissingData === 'breaching' ? ', or unknown,' : '';
  return `${alarm.measure} ${relation} ${value}${unknown}${windowText(alarm)}`;
}

function windowText({
  periodSeconds,
  evaluationPeriods,
  datapointsToAlarm,
  treatMissingData,
}: AlarmDefinition): string {
  const datapoints = datapointsToAlarm ?? evaluationPeriods;
  if (datapoints < evaluationPeriods) {
    return ` in ${datapoints} of ${evaluationPeriods} periods of ${durationText(periodSeconds)}`;
  }
  if (evaluationPeriods > 1) return ` for ${durationText(periodSeconds * evaluationPeriods)}`;
  // The state lasts until the next value, whatever the period.
  return treatMissingData === 'ignore' ? '' : ` within ${durationText(periodSeconds)}`;
}

/** In days from two days on, else in hours from an hour on, else in minutes; in a unit that divides it. */
function durationText(seconds: number): string {
  if (seconds >= 2 * DAY_SECONDS && seconds % DAY_SECONDS === 0) return `${seconds / DAY_SECONDS} days`;
  if (seconds % HOUR_SECONDS === 0) return `${seconds / HOUR_SECONDS} h`;
  return `${seconds / MINUTE_SECONDS} min`;
}
