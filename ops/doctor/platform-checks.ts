import { DRILL_LIMIT_DAYS, isLookedUp, RECONCILIATION_LIMIT_HOURS, type DatabaseName } from '../../core/contract';
import { drillOutcome } from '../../core/restore/contract';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import type { Context } from '../context';
import { type Finding, good, judged, skipped, wrong } from './finding';
import { daysSince } from '../limits';
import { describeOpen, OPEN_ERASURE_FIX } from '../open-erasures';
import { bytes, counted, moment, span } from '../print/units';
import { listAlarms } from '../list-alarms';

type Status = InspectionReport<'status'>;
type Database = Status['databases'][number];

/** Connections from which new functions are about to be refused, as for the alarm. */
const CONNECTIONS_LIMIT_PERCENT = 80;

const DRILL_FINDINGS_GUIDE = 'docs/runbook.md#restore-drill-findings';

/** The problem of the status says why. */
const UNKNOWN = 'could not be looked up';

/** Findings of a status. */
export function judgeStatus(
  status: Status,
  limits: Pick<typeof import('../../lambdas/inspect/contract'), 'ROTATION_GRACE_DAYS' | 'SECRET_ROTATION_DAYS'>,
  now: Date,
): Finding[] {
  return [
    ...status.problems.map((problem) => wrong('status', problem, 'ops logs inspect --errors')),
    ...status.databases.flatMap((each) => judgeDatabase(each, status.problems, now)),
    ...judgePipeline(status, now),
    ...(status.erasures ? [wrong('erasures', describeOpen(status.erasures, now), OPEN_ERASURE_FIX)] : []),
    ...status.secrets.map(({ secret, changedAt }) => {
      if (!isLookedUp(status.problems, `secret ${secret}`)) return skipped(`secret ${secret}`, UNKNOWN);
      const isPassword = !secret.startsWith('stripe-');
      const limit = limits.SECRET_ROTATION_DAYS + (isPassword ? limits.ROTATION_GRACE_DAYS : 0);
      const age = changedAt === null ? Infinity : daysSince(changedAt, now);
      const fix = isPassword
        ? `ops secrets rotate ${secret.replace('-database', '').replace('-login-', ' --login ')}`
        : `ops secrets put-stripe ${secret === 'stripe-api' ? 'api-key' : 'signing-secret'}`;
      return judged(`secret ${secret}`, age <= limit, `changed ${moment(changedAt, now)}`, fix);
    }),
  ];
}

function judgeDatabase(each: Database, problems: Status['problems'], now: Date): Finding[] {
  const { database, sizeBytes, connectionsPercent, lastDrill } = each;
  return [
    ...(connectionsPercent === null
      ? []
      : [
          judged(
            `connections of ${database}`,
            connectionsPercent <= CONNECTIONS_LIMIT_PERCENT,
            `${Math.round(connectionsPercent)} % in use; ${bytes(sizeBytes ?? 0)} of data`,
            `ops connections ${database}`,
          ),
        ]),
    judgeArchive(each, problems, now),
    isLookedUp(problems, database) ? judgeDrill(database, lastDrill, now) : skipped(`drill of ${database}`, UNKNOWN),
  ];
}

function judgeArchive(
  { database, newestArchive, archiveLimitSeconds }: Database,
  problems: Status['problems'],
  now: Date,
): Finding {
  const check = `archive of ${database}`;
  if (!isLookedUp(problems, `archives of ${database}`)) return skipped(check, UNKNOWN);
  const age = newestArchive === null ? Infinity : (now.getTime() - Date.parse(newestArchive)) / 1000;
  const limit = `limit ${span(archiveLimitSeconds)}`;
  const detail = newestArchive === null ? 'there is none' : `${moment(newestArchive, now)}, ${limit}`;
  return judged(check, age <= archiveLimitSeconds, detail, `ops backup ${database}`);
}

function judgeDrill(database: DatabaseName, drill: Database['lastDrill'], now: Date): Finding {
  const check = `drill of ${database}`;
  const again = `ops drill ${database}`;
  if (drill === null) return wrong(check, 'there was none', again);
  const { outcome, findings, startedAt } = drill;
  const detail = `${drillOutcome(outcome, findings)}, ${moment(startedAt, now)}`;
  const isInTime = outcome === 'passed' && daysSince(startedAt, now) <= DRILL_LIMIT_DAYS;
  return findings === null
    ? judged(check, isInTime, detail, again)
    : wrong(check, `${detail}: ${findings}`, `${DRILL_FINDINGS_GUIDE}, then ${again}`);
}

function judgePipeline({ events, queues, reconciliation, problems }: Status, now: Date): Finding[] {
  const completeAt = reconciliation?.completeAt ?? null;
  const hours = completeAt === null ? Infinity : daysSince(completeAt, now) * 24;
  return [
    ...(events === null
      ? []
      : [
          judged(
            'failed events',
            events.failed === 0,
            `${events.failed} in the ledger`,
            'ops webhooks list --status failed',
          ),
          judged(
            'unfinished events',
            events.unfinished === 0,
            `${events.unfinished} in the ledger`,
            'ops logs processor --errors, then ops webhooks retry --failed',
          ),
        ]),
    ...(queues === null
      ? []
      : [
          judged(
            'parked events',
            queues.parked === 0,
            `${queues.parked} in the queue`,
            'ops webhooks redrive --dry-run',
          ),
        ]),
    isLookedUp(problems, 'ledger')
      ? judged(
          'reconciliation',
          hours <= RECONCILIATION_LIMIT_HOURS,
          completeAt === null
            ? 'none was complete yet'
            : `complete ${moment(completeAt, now)}, limit ${RECONCILIATION_LIMIT_HOURS} h`,
          'ops reconcile',
        )
      : skipped('reconciliation', UNKNOWN),
  ];
}

/** Reads every table of a database. */
export async function checkSoundness({ invoke }: Context, database: DatabaseName): Promise<Finding[]> {
  const { contract } = await import('../../lambdas/verify/contract');
  const { sound, problems, warnings, notChecked, tables } = await invoke('verify', contract, { database });
  const detail = sound ? `${tables} tables are sound` : problems.map(({ message }) => message).join('; ');
  const unchecked = notChecked.length === 0 ? '' : `; not checked: ${notChecked.join(', ')}`;
  const fix = `ops verify ${database}, then docs/runbook.md#verification-failed`;
  const warned = warnings.length === 0 ? '' : `; ${counted(warnings.length, 'warning')}: ops verify ${database}`;
  const isSound = sound && notChecked.length === 0;
  return [judged(`soundness of ${database}`, isSound, `${detail}${unchecked}${warned}`, fix)];
}

/** Whether the audit log can be read. */
export async function checkAudit({ invoke }: Context): Promise<Finding[]> {
  const { contract } = await import('../../lambdas/audit/contract');
  const answer = await invoke('audit', contract, { action: 'list', days: 1, limit: 200 });
  return [good('audit log', `${answer.action === 'list' ? answer.actions.length : 0} actions in the last day`)];
}

/** Whether an alarm is raised. */
export async function checkAlarms({ clients, target }: Context): Promise<Finding[]> {
  const names = (await listAlarms(clients, target)).map(({ name }) => name);
  return [judged('alarms', names.length === 0, names.length === 0 ? 'none is raised' : names.join(', '), 'ops alarms')];
}
