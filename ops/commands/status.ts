import { isLookedUp } from '../../core/contract';
import { amountText } from '../../core/runtime/money';
import { drillOutcome } from '../../core/restore/contract';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { inspect } from '../inspect';
import { describeOpen, OPEN_ERASURE_FIX } from '../open-erasures';
import { fields, table } from '../print/table';
import { bytes, moment } from '../print/units';

type Status = InspectionReport<'status'>;
type Database = Status['databases'][number];

export const status = defineCommand({
  name: 'status',
  summary: 'Shows on one screen how databases, backups, events, reconciliation and money are',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `status` of `lambdas/inspect/contract.ts`',
  finding:
    'something could not be looked up, an archive is overdue, the last drill did not pass or has findings, an erasure is not finished, or an event failed or is parked',
  arguments: {},
  options: {},
  examples: [{ line: 'status', explains: 'The first command of an incident.' }],
  async run(context) {
    const report = await inspect(context, 'status', {});
    const findings = findingsOf(report, context.now());
    const { style } = context;
    return {
      report,
      lines: [
        ...databasesOf(report, context),
        '',
        ...pipelineOf(report, context),
        ...(findings.length === 0 ? [] : ['', ...findings.map((finding) => style.red(finding))]),
      ],
      exit: findings.length === 0 ? 'done' : 'finding',
    };
  },
});

function databasesOf({ databases, problems }: Status, { style, now }: Context): string[] {
  const rows = databases.map(({ database, sizeBytes, connectionsPercent, schemaVersion, newestArchive, lastDrill }) => [
    database,
    sizeBytes === null ? null : bytes(sizeBytes),
    connectionsPercent === null ? null : `${Math.round(connectionsPercent)} %`,
    schemaVersion,
    moment(newestArchive, now()),
    lastDrill === null
      ? isLookedUp(problems, database)
        ? 'none yet'
        : null
      : `${drillOutcome(lastDrill.outcome, lastDrill.findings)}, ${moment(lastDrill.startedAt, now())}`,
  ]);
  return table(['database', 'size', 'connections', 'schema', 'newest archive', 'last drill'], rows, style);
}

function pipelineOf({ events, queues, reconciliation, money, problems }: Status, { style, now }: Context): string[] {
  const at = now();
  // What the database does not say hides nothing of the queues, which matter most then.
  const counts = (ledger: number | undefined, queue: number | undefined, where: string) =>
    `${ledger ?? '–'} in the ledger, ${queue ?? '–'} ${where}`;
  const refunds = money?.refundsToday.map(
    ({ currency, refunds: count, amount }) => `${count} (${amountText(amount, currency)})`,
  );
  return fields(
    [
      ['events', events && `${events.lastHour} in the last hour, ${newestOf(events.newestAt, at)}`],
      ['failed', counts(events?.failed, queues?.parked, 'parked')],
      ['waiting', counts(events?.unfinished, queues?.waiting, 'in the queue')],
      [
        'reconciliation',
        reconciliation === null
          ? isLookedUp(problems, 'ledger')
            ? 'none yet'
            : null
          : `${reconciliation.status}, ${moment(reconciliation.startedAt, at)}; complete ${moment(reconciliation.completeAt, at)}`,
      ],
      ['failing payments', money && `${money.failedSubscriptionsPercent.toFixed(1)} % of subscriptions`],
      ['refunds today', refunds && (refunds.join(', ') || 'none')],
    ],
    style,
  );
}

/** By the time at which it happened at the provider: it may have been delivered much later. */
const newestOf = (happenedAt: string | null, now: Date): string =>
  happenedAt === null ? 'none before' : `the newest happened ${moment(happenedAt, now)}`;

/** What needs attention, each with the command that continues. */
function findingsOf({ databases, events, queues, erasures, problems }: Status, now: Date): string[] {
  const overdue = databases.filter(({ database, newestArchive, archiveLimitSeconds }) => {
    if (!isLookedUp(problems, `archives of ${database}`)) return false;
    const age = newestArchive === null ? Infinity : (now.getTime() - Date.parse(newestArchive)) / 1000;
    return age > archiveLimitSeconds;
  });
  return [
    ...problems,
    ...overdue.map(({ database }) => `The archive of ${database} is overdue: ops backup ${database}`),
    ...databases.flatMap(({ database, lastDrill }) => (lastDrill === null ? [] : findingsOfDrill(database, lastDrill))),
    ...(erasures ? [`${describeOpen(erasures, now)}: ${OPEN_ERASURE_FIX}`] : []),
    ...(events && events.failed > 0
      ? [`${events.failed} failed in the ledger: ops webhooks list --status failed`]
      : []),
    ...(queues && queues.parked > 0 ? [`${queues.parked} parked: ops webhooks redrive --dry-run`] : []),
  ];
}

function findingsOfDrill(database: string, { outcome, findings }: NonNullable<Database['lastDrill']>): string[] {
  return [
    ...(outcome === 'passed'
      ? []
      : [`The last drill of ${database} did not pass (${outcome}): ops drills list ${database}`]),
    ...(findings === null ? [] : [`Findings of the last drill of ${database}: ${findings}`]),
  ];
}
