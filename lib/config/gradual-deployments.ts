import type { AlarmDefinition } from './alarms/alarm-definition';
import { alarmSuffix, thresholdsOf } from './alarms/alarm-definition';

/**
 * The functions whose new version gets a part of the work first, each with the alarms that take it back. Those are on the
 * way of an event, where a fault costs at once. A job of a schedule runs once an hour or a day: a tenth of that is nothing,
 * and its failure costs a repetition.
 */
export const GRADUAL_DEPLOYMENTS = {
  webhook: ['webhookErrors', 'webhookFailures', 'throttled-webhook'],
  processor: ['processorErrors', 'eventsParked', 'webhookFailures', 'throttled-processor'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type GradualFunction = keyof typeof GRADUAL_DEPLOYMENTS;

/** Whether the deployments of a function can be gradual. */
export function isGradual(stem: string): stem is GradualFunction {
  return stem in GRADUAL_DEPLOYMENTS;
}

/** Name of the alias that requests and messages go to. */
export const LIVE_ALIAS = 'live';

/**
 * Suffixes of the names of the alarms that stop the deployment of a function, of every severity.
 *
 * @param definitions the alarms of the environment
 * @param computed whether the environment has alarms on values of several metrics
 */
export function rollbackAlarms(
  stem: GradualFunction,
  definitions: readonly AlarmDefinition[],
  computed: boolean,
): string[] {
  const names: readonly string[] = GRADUAL_DEPLOYMENTS[stem];
  return definitions
    .filter(({ name, metric }) => names.includes(name) && (computed || metric.from !== 'math'))
    .flatMap((definition) => thresholdsOf(definition).map(([severity]) => alarmSuffix(definition, severity)));
}
