import { DATABASE_NAMES } from '../../../../core/contract';
import { databaseFailures } from './database-failures';
import { DAY, type Failure, pair, run, single } from './failure';
import { jobFailures, jobFailuresOf } from './job-failures';
import { edgeFailures, eventFailures } from './pipeline-failures';
import { ofFunction } from './published';

/** For each alarm of the production environment, the fault that has to raise it. */
export const FAILURES: readonly Failure[] = [
  ...eventFailures(),
  ...edgeFailures(),
  ...databaseFailures(),
  ...DATABASE_NAMES.flatMap(jobFailuresOf),
  ...jobFailures(),
  ...peopleFailures(),
];
function peopleFailures(): Failure[] {
  const gauge = (name: string) => ofFunction('collector', name);
  return [
    ...pair('failedSubscriptions', 'the payments of … % fail', { warning: 3, critical: 6 }, 60, (percent) => ({
      [gauge('FailedSubscriptionsPercent')]: run(percent),
    })),
    ...pair('disputeDue', 'evidence is due in … days', { warning: 3, critical: 0.5 }, 20, (days) => ({
      [gauge('DisputeDue')]: run(days * DAY),
    })),
    single('earlyFraudWarnings', 'a bank suspects fraud', 20, gauge('EarlyFraudWarnings'), run(1)),
    single('unownedPurchases', 'a customer paid and has nothing', 20, gauge('UnownedPurchases'), run(1)),
  ];
}
