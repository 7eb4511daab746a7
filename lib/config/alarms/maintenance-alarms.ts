import { DATABASE_NAMES, type DatabaseName, MAINTENANCE_GRACE_DAYS } from '../../../core/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { MAINTENANCE_METRICS } from '../../../lambdas/maintenance/contract';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, sumOf } from './alarm-metric';
import { highestOfDatabases } from './database-alarms';
import { AGE_FOR_AN_HOUR, ANY_WITHIN_AN_HOUR, DAY_SECONDS, FOUND_BY_LAST_RUN } from './job-alarms';

/** The alarms on the maintenance of the databases and on the monthly report. */
export function maintenanceAlarms(): AlarmDefinition[] {
  return [
    ...DATABASE_NAMES.map(cardAlarm),
    {
      ...FOUND_BY_LAST_RUN,
      name: 'cardsFound-logs',
      measure: 'Lines of logs with card numbers',
      thresholds: { critical: 0 },
      metric: highestOf('maintenance', MAINTENANCE_METRICS.cardsInLogs, { database: 'billing' }),
      symptom: 'A log of the stacks holds what looks like card numbers',
      action:
        'Read log, stream and time by "ops maintenance show billing"; find out what wrote them, then delete the stream.',
      owner: 'data',
      runbookAnchor: 'card-numbers-found',
      consolePage: { functionOf: 'maintenance' },
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: 'dataOutsideRegions',
      measure: 'Resources and copies outside the allowed regions',
      thresholds: { critical: 0 },
      metric: highestOf('maintenance', MAINTENANCE_METRICS.outsideRegions, { database: 'billing' }),
      symptom: 'Data, or a copy of it, is in a region that allowedRegions does not name, or in an unknown one',
      action:
        'Read what is where by "ops doctor --quick" or "ops maintenance show billing"; remove it there, or name the region in allowedRegions and deploy.',
      owner: 'data',
      runbookAnchor: 'data-outside-the-allowed-regions',
      consolePage: { functionOf: 'maintenance' },
    },
    {
      ...ANY_WITHIN_AN_HOUR,
      name: 'maintenanceFailed',
      measure: 'Failed runs of maintenance',
      thresholds: { warning: 0 },
      // Of a run on a database, and of the report, which is about both.
      metric: sumOf('maintenanceFailed', [
        ...DATABASE_NAMES.map((database) => countOf('maintenance', MAINTENANCE_METRICS.failed, { database })),
        countOf('maintenance', MAINTENANCE_METRICS.failed),
      ]),
      symptom: 'A task of maintenance, or the monthly report, failed',
      action: 'Read which task and why, in the log of the maintenance function; run it again by hand.',
      owner: 'data',
      runbookAnchor: 'maintenance-failed',
      consolePage: { functionOf: 'maintenance' },
    },
    {
      ...AGE_FOR_AN_HOUR,
      name: 'maintenanceOverdue',
      measure: 'Time by which a task of maintenance is late',
      thresholds: { warning: MAINTENANCE_GRACE_DAYS * DAY_SECONDS },
      metric: highestOfDatabases('maintenanceOverdue', DATABASE_NAMES, (database) =>
        highestOf('collector', COLLECTOR_METRICS.maintenanceOverdueSeconds, { database }),
      ),
      symptom: `A task of maintenance, or the monthly report, is ${MAINTENANCE_GRACE_DAYS} days late`,
      action: 'Run it by hand, then find out why the schedule did not start it.',
      owner: 'data',
      runbookAnchor: 'maintenance-overdue',
      consolePage: { functionOf: 'maintenance' },
    },
  ];
}

function cardAlarm(database: DatabaseName): AlarmDefinition {
  return {
    ...FOUND_BY_LAST_RUN,
    name: `cardsFound-${database}`,
    measure: 'Card numbers found in the database',
    thresholds: { critical: 0 },
    metric: highestOf('maintenance', MAINTENANCE_METRICS.cardsFound, { database }),
    symptom: `The ${database} database holds what looks like card numbers`,
    action: 'Read table, column and row by "ops maintenance show"; find out how they got there, then remove them.',
    owner: 'data',
    runbookAnchor: 'card-numbers-found',
    consolePage: { functionOf: 'maintenance' },
  };
}
