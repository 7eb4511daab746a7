import { DAY, type Failure, HOUR, once, pair, run, single } from './failure';
import { nothing, ofFunction, ofLambda } from './published';

/** Of the jobs about one database. */
export function jobFailuresOf(database: string): Failure[] {
  const of = (stem: string, name: string) => ofFunction(stem, name, { database });
  const overdue = database === 'billing' ? 7.5 * HOUR : 26 * HOUR;
  return [
    single(`backupFailed-${database}`, 'a backup fails', 5, of('backup', 'BackupFailed'), once()),
    single(`backupMissing-${database}`, 'no backup is made', 65, of('collector', 'BackupAge'), run(overdue)),
    single(
      `backupHousekeepingFailed-${database}`,
      'housekeeping fails',
      5,
      of('backup', 'BackupHousekeepingFailed'),
      once(),
    ),
    single(`backupUnprotected-${database}`, 'recovery points are stale', 5, of('backup', 'UnprotectedTiers'), once()),
    single(`cardsFound-${database}`, 'a scan finds a card', 5, of('maintenance', 'CardNumbersFound'), once()),
    single(`backupIncomplete-${database}`, 'an archive lacks objects', 5, of('backup', 'BackupOmissions'), once(2)),
    single(`backupExported-${database}`, 'RDS exports instead', 5, of('backup', 'BackupExported'), once()),
    single(`drillFailed-${database}`, 'a drill fails', 5, of('drill', 'DrillFailed'), once()),
    single(
      `drillSlow-${database}`,
      'a drill takes 130 % of its target',
      5,
      of('drill', 'DrillTargetPercent'),
      once(130),
    ),
    single(`drillFindings-${database}`, 'a drill leaves an object out', 5, of('drill', 'DrillFindings'), once(2)),
    single(`drillMissing-${database}`, 'no drill is made', 65, of('collector', 'DrillAge'), run(36 * DAY)),
    single(`verifyFailed-${database}`, 'a verification fails', 5, of('verify', 'VerifyFailed'), once()),
    single(
      `passwordNotRotated-${database}`,
      'the rotation does not run',
      65,
      ofFunction('collector', 'SecretAge', { secret: `${database}-database` }),
      run(93 * DAY),
    ),
    single(
      `rotationFailed-${database}`,
      'a step of a rotation fails',
      5,
      ofLambda(`rotate-${database}`, 'Errors'),
      once(),
    ),
  ];
}

/** Of the jobs about no one database. */
export function jobFailures(): Failure[] {
  const of = (name: string) => ofFunction('reconciliation', name);
  const gauge = (name: string) => ofFunction('collector', name);
  return [
    single('reconciliationFailed', 'a reconciliation fails', 5, of('ReconciliationFailed'), once()),
    single('reconciliationMissing', 'no reconciliation completes', 65, gauge('ReconciliationAge'), run(26 * HOUR)),
    single('reconciliationDrift', 'a run finds a difference', 5, of('DriftDetected'), once()),
    single('eventsMissed', 'a run finds a lost event', 5, of('MissedEvents'), once()),
    single('maintenanceFailed', 'the monthly report fails', 5, ofFunction('maintenance', 'MaintenanceFailed'), once()),
    single(
      'maintenanceOverdue',
      'maintenance does not run',
      65,
      ofFunction('collector', 'MaintenanceOverdue', { database: 'main' }),
      run(3 * DAY),
    ),
    single('cleanupFailed', 'a cleanup fails', 5, ofFunction('cleanup', 'CleanupFailed'), once()),
    single('cleanupOverdue', 'old events stay', 65, gauge('CleanupOverdue'), run(3 * DAY)),
    {
      alarm: 'collectorMissing',
      fault: 'the collector does not run',
      within: 20,
      published: { [gauge('CollectionSucceeded')]: nothing },
    },
    single(
      'lockWait',
      'a session holds a lock',
      15,
      ofFunction('collector', 'LongestLockWait', { database: 'billing' }),
      run(300),
    ),
    single(
      'longTransaction',
      'a transaction is forgotten',
      15,
      ofFunction('collector', 'LongestTransaction', { database: 'main' }),
      run(2 * HOUR),
    ),
    ...pair('certificateExpiry', 'a certificate expires in … days', { warning: 20, critical: 5 }, 15, (days) => ({
      [ofFunction('collector', 'CertificateExpiry', { database: 'main' })]: run(days * DAY),
    })),
    {
      alarm: 'collectorIncomplete',
      fault: 'the collector cannot measure something',
      within: 20,
      published: { [gauge('CollectionSucceeded')]: nothing, [gauge('CollectionFailed')]: run(1) },
    },
    ...(['api', 'signing'] as const).map((secret) =>
      single(
        `stripeSecretOld-${secret}`,
        'the secret is not rolled',
        65,
        ofFunction('collector', 'SecretAge', { secret: `stripe-${secret}` }),
        run(91 * DAY),
      ),
    ),
  ];
}
