import type { EnvironmentConfig } from '../environment-schema';
import { accessAlarms } from './access-alarms';
import type { AlarmDefinition } from './alarm-definition';
import { alertingAlarms } from './alerting-alarms';
import { databaseAlarms } from './database-alarms';
import { jobAlarms } from './job-alarms';
import { pipelineAlarms } from './pipeline-alarms';
import { thresholdAlarms } from './threshold-alarms';

/** Every alarm that an environment has. */
export function alarmsOf(config: EnvironmentConfig): readonly AlarmDefinition[] {
  return [
    ...thresholdAlarms(),
    ...databaseAlarms(config),
    ...jobAlarms(config),
    ...pipelineAlarms(config),
    ...alertingAlarms(),
    ...accessAlarms(),
  ];
}
