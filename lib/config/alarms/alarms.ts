import type { EnvironmentConfig } from '../environment-schema';
import { accessAlarms } from './access-alarms';
import type { AlarmDefinition } from './alarm-definition';
import { alertingAlarms } from './alerting-alarms';
import { apiAlarms } from './api-alarms';
import { bitcoinAlarms } from './bitcoin-alarms';
import { canaryAlarms } from './canary-alarms';
import { copyAlarms } from './copy-alarms';
import { databaseAlarms } from './database-alarms';
import { databaseLogAlarms } from './database-log-alarms';
import { edgeAlarms } from './edge-alarms';
import { instanceAlarms } from './instance-alarms';
import { jobAlarms } from './job-alarms';
import { maintenanceAlarms } from './maintenance-alarms';
import { pipelineAlarms } from './pipeline-alarms';
import { secretAlarms } from './secret-alarms';
import { serverAlarms } from './server-alarms';
import { thresholdAlarms } from './threshold-alarms';

/** Every alarm that an environment has. */
export function alarmsOf(config: EnvironmentConfig): readonly AlarmDefinition[] {
  return [
    ...thresholdAlarms(),
    ...databaseAlarms(config),
    ...instanceAlarms(config),
    ...copyAlarms(config),
    ...edgeAlarms(config),
    ...apiAlarms(),
    ...canaryAlarms(config),
    ...jobAlarms(config),
    ...maintenanceAlarms(),
    ...secretAlarms(config),
    ...serverAlarms(),
    ...databaseLogAlarms(config),
    ...pipelineAlarms(config),
    ...alertingAlarms(config),
    ...accessAlarms(),
    ...bitcoinAlarms(config),
  ];
}
