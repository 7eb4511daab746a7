import { DATABASE_NAMES } from '../../../core/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { highestOf } from '../alarms/alarm-metric';
import { type AlarmNamed, divided, type Line, ofAlarm, type Widget } from './widget';

const DAY_SECONDS = 86_400;

/** What goes on in the databases, as a connection sees it. */
export function serverWidgets(alarm: AlarmNamed): Widget[] {
  const each = (metric: keyof typeof COLLECTOR_METRICS, label = ''): Line[] =>
    DATABASE_NAMES.map((database) => ({
      label: `${label}${database}`,
      metric: highestOf('collector', COLLECTOR_METRICS[metric], { database }),
    }));
  return [
    {
      title: 'Longest transaction',
      unit: 's',
      alarm: alarm('longTransaction'),
      lines: each('longestTransactionSeconds'),
    },
    { title: 'Longest wait for a lock', unit: 's', alarm: alarm('lockWait'), lines: each('longestLockWaitSeconds') },
    {
      title: 'Connections by role',
      unit: 'connections',
      lines: [
        {
          stem: 'collector',
          name: COLLECTOR_METRICS.connectionsByRole,
          by: ['database', 'role'],
          statistic: 'Maximum',
        },
      ],
    },
    { title: 'Statements that run at a time', unit: 'statements', lines: each('statementLoad') },
    { title: 'Slowest statement (mean)', unit: 's', lines: each('slowestMeanSeconds') },
    { title: 'Tables behind with vacuum', unit: 'tables', lines: each('tablesBehindVacuum') },
    { title: 'Age of transaction ids', unit: 'transactions', lines: each('transactionIdAge') },
    {
      title: 'Days until a certificate expires',
      unit: 'days',
      shows: 'numbers',
      lines: each('certificateExpirySeconds').map((line) => ({
        ...line,
        metric: divided(line.metric, DAY_SECONDS, line.label),
      })),
    },
    ...logWidgets(alarm),
    {
      title: 'Open events of the ledger',
      unit: 'events',
      lines: [{ stem: 'collector', name: COLLECTOR_METRICS.eventBacklog, by: ['status'], statistic: 'Maximum' }],
    },
  ];
}

/** What is counted in the logs of the databases. None where all of them existed before. */
function logWidgets(alarm: AlarmNamed): Widget[] {
  const unusual = ['schemaChangedByHand', 'privilegesChangedByHand', 'adminLoginByHand', 'rowsDeletedByHand'].flatMap(
    (name) => alarm(name) ?? [],
  );
  const slow = alarm('slowStatements');
  return [
    ...(slow ? [ofAlarm('Slow statements', 'statements', slow)] : []),
    ...(unusual.length > 0
      ? [
          {
            title: 'Done by hand',
            unit: 'statements',
            periodSeconds: 3600,
            lines: unusual.map(({ measure, metric }) => ({ label: measure, metric })),
          },
        ]
      : []),
  ];
}
