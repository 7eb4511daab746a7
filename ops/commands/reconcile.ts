import { defineCommand } from '../command';
import { fields } from '../print/table';
import { duration, moment, span } from '../print/units';
import { flag, optional, wholeNumber } from '../values';

const MAX_DAYS_BACK = 30;
const MAX_SETTLE_SECONDS = 900;

export const reconcile = defineCommand({
  name: 'reconcile',
  summary: 'Compares the billing database with Stripe and corrects what differs',
  details: 'A run that runs out of its 15 minutes is continued until it is complete.',
  effect: 'changes',
  changes: 'applies missed events, corrects objects of every kind, recomputes entitlements; with --dry-run, nothing.',
  json: 'the report of `lambdas/reconciliation/contract.ts`',
  finding: 'something differed from Stripe, corrected or not',
  arguments: {},
  options: {
    dryRun: flag('Report what differs, and correct nothing'),
    daysBack: optional(wholeNumber('days', 1, MAX_DAYS_BACK), 'Days to look back, at least. Default: as configured'),
    settleSeconds: optional(
      wholeNumber('seconds', 0, MAX_SETTLE_SECONDS),
      'Seconds before now that are not compared, left to deliveries still under way; 0 right after an outage. Default: 900',
    ),
    allEntitlements: flag("Compute everybody's entitlements again from Stripe, four calls each, and not a sample's"),
  },
  examples: [
    { line: 'reconcile --dry-run', explains: 'See what differs.' },
    { line: 'reconcile --settle-seconds 0', explains: 'Heal everything up to this moment, after an outage.' },
    { line: 'reconcile --all-entitlements --dry-run', explains: 'Does anybody have other access than Stripe says?' },
  ],
  async run({ invoke, style, note, now, signal }, { allEntitlements, ...options }) {
    const { contract } = await import('../../lambdas/reconciliation/contract');
    const request = { ...options, ...(allEntitlements ? { entitlements: 'all' as const } : {}) };
    let report = await invoke('reconciliation', contract, request);
    while (report.status === 'interrupted') {
      signal.throwIfAborted();
      note(`${report.subscriptions_checked} subscriptions compared; the time was up, continuing`);
      report = await invoke('reconciliation', contract, request);
    }
    const kinds = Object.entries(report.kinds);
    const compared = kinds.filter(([, { checked }]) => checked > 0).map(([kind, { checked }]) => `${checked} ${kind}`);
    const drifted = kinds.filter(([, { drift }]) => drift > 0).map(([kind, { drift }]) => `${drift} ${kind}`);
    const uncorrected = report.drift_detected - report.corrected;
    return {
      report,
      lines: fields(
        [
          ['run', `${report.runId} (${report.status}${report.dryRun ? ', dry: nothing was corrected' : ''})`],
          ['compared', compared.join(', ') || 'nothing'],
          ['up to', moment(report.comparedUntil, now())],
          ...(report.uncomparedSeconds > 0
            ? [['not compared', style.yellow(uncomparedText(report.uncomparedSeconds))] as const]
            : []),
          ['missed events', report.eventsMissed],
          ['drift', `${report.drift_detected}${drifted.length > 0 ? ` (${drifted.join(', ')})` : ''}`],
          ['corrected', report.corrected],
          ...(uncorrected > 0
            ? [['not corrected', `${uncorrected}: ops reconciliations findings --run ${report.runId}`] as const]
            : []),
          ['took', duration(report.durationMs)],
        ],
        style,
      ),
      exit: report.drift_detected > 0 ? 'finding' : 'done',
    };
  },
});

/** What a run left out at its end, which is no fault, but no all-clear for the time of an outage either. */
const uncomparedText = (seconds: number): string =>
  `the last ${span(seconds)}, where deliveries may be under way; to compare them now: ops reconcile --settle-seconds 0`;
