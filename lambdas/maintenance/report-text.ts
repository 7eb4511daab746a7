import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { drillOutcome, recordedFindings } from '../../core/restore/contract';
import { residencyCoverage, residencyFindings } from '../../core/residency/contract';
import type { ResultOf, TaskRecord } from './contract';
import { decisionsOf } from './decisions';
import type { ReportFacts } from './report-facts';
import { age, bytes, change, day, daysSince, hoursSince, minutes } from './report-units';

/** Tables that the report shows of each database. */
const SHOWN_TABLES = 5;
const MONTH_DAYS = 31;
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

export interface ReportText {
  readonly subject: string;
  readonly text: string;
  readonly decisions: number;
}

/** The monthly report as plain text: what to decide first, then what it was found in. */
export function writeReport(facts: ReportFacts): ReportText {
  const { environment, at } = facts;
  const decisions = decisionsOf(facts);
  const month = `${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  const title = `Billing operations, ${environment}: report of ${month}`;
  const sections = [
    section('To decide', decisions.length > 0 ? decisions.map((line) => `- ${line}`) : ['Nothing.']),
    section(
      'Backups and drills',
      DATABASE_NAMES.map((database) => backupLine(facts, database)),
    ),
    section('Reconciliation with Stripe', reconciliationLines(facts)),
    section('Events', eventLines(facts)),
    section('Secrets, by their age', secretLines(facts)),
    section('API keys in force', keyLines(facts)),
    ...DATABASE_NAMES.flatMap((database) => [
      section(`Database ${database}: sizes`, sizeLines(facts, database)),
      section(`Database ${database}: maintenance`, maintenanceLines(facts, database)),
    ]),
  ];
  return {
    // The subject of a mail of SNS: ASCII, 100 characters at most.
    subject: `${title} - ${decisions.length === 0 ? 'nothing' : decisions.length} to decide`.slice(0, 100),
    text: [title, `Written ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`, '', ...sections].join('\n'),
    decisions: decisions.length,
  };
}

const UNKNOWN = 'unknown: it could not be looked up';

function section(title: string, lines: readonly string[]): string {
  return [title, '-'.repeat(title.length), ...lines, ''].join('\n');
}

function backupLine({ status, drills, at }: ReportFacts, database: DatabaseName): string {
  const archive = status?.databases.find((known) => known.database === database);
  const [drill] = drills[database] ?? [];
  const newest = archive?.newestArchive ?? null;
  const made = newest === null ? 'no archive' : `archive ${hoursSince(newest, at)} h old`;
  const limit = archive ? ` (limit ${Math.round(archive.archiveLimitSeconds / 3600)} h)` : '';
  const took = drill?.durationMs == null ? '' : `, ${minutes(drill.durationMs)} of ${minutes(drill.targetMs)}`;
  const drilled = drill
    ? `last drill ${day(drill.startedAt)} ${drillOutcome(drill.outcome, recordedFindings(drill))}${took}`
    : 'no drill';
  return `${database.padEnd(8)}${status ? made + limit : UNKNOWN}; ${drilled}`;
}

function reconciliationLines({ runs, at }: ReportFacts): string[] {
  if (!runs) return [UNKNOWN];
  const recent = runs.filter(({ startedAt, dryRun }) => !dryRun && daysSince(startedAt, at) < MONTH_DAYS);
  const complete = recent.filter(({ status }) => status === 'complete');
  const total = (field: 'driftDetected' | 'eventsMissed') => recent.reduce((sum, run) => sum + run[field], 0);
  return [
    `${recent.length} runs in ${MONTH_DAYS} days, ${complete.length} of them complete; the last one ${day(complete[0]?.startedAt ?? null)}`,
    `${total('driftDetected')} differences found, ${total('eventsMissed')} missed events`,
  ];
}

function eventLines({ status }: ReportFacts): string[] {
  if (!status) return [UNKNOWN];
  const { events, queues } = status;
  return [
    `ledger: ${events?.failed ?? '?'} failed, ${events?.unfinished ?? '?'} unfinished, ${events?.lastHour ?? '?'} in the last hour`,
    `queue: ${queues?.waiting ?? '?'} waiting, ${queues?.parked ?? '?'} parked`,
  ];
}

function secretLines({ status, at }: ReportFacts): string[] {
  if (!status) return [UNKNOWN];
  const width = Math.max(...status.secrets.map(({ secret }) => secret.length)) + 2;
  return status.secrets.map(
    ({ secret, changedAt }) => `${secret.padEnd(width)}${changedAt === null ? 'unknown' : age(changedAt, at)}`,
  );
}

/** The longest unused first, each with what it may do. */
function keyLines({ keys, at }: ReportFacts): string[] {
  if (!keys) return [UNKNOWN];
  if (keys.length === 0) return ['none'];
  const width = Math.max(...keys.map(({ name }) => name.length)) + 2;
  return keys.map(({ name, scopes, createdAt, expiresAt, lastUsedAt }) => {
    const used = lastUsedAt === null ? 'never used' : `used ${age(lastUsedAt, at)} ago`;
    const ends = expiresAt === null ? 'without an end' : `ends ${day(expiresAt)}`;
    return `${name.padEnd(width)}${used}; ${age(createdAt, at)} old, ${ends}; ${scopes.join(', ')}`;
  });
}

function resultIn<Task extends TaskRecord['task']>(
  { maintenance }: ReportFacts,
  database: DatabaseName,
  task: Task,
): ResultOf<Task> | undefined {
  const record = maintenance[database]?.find((known) => known.task === task);
  return (record?.result ?? undefined) as ResultOf<Task> | undefined;
}

function sizeLines(facts: ReportFacts, database: DatabaseName): string[] {
  const sizes = resultIn(facts, database, 'sizes');
  if (!sizes) return ['never measured'];
  const whole = {
    table: 'all',
    bytes: sizes.databaseBytes,
    weekAgoBytes: sizes.weekAgoBytes,
    monthAgoBytes: sizes.monthAgoBytes,
  };
  const rows = [whole, ...sizes.tables.slice(0, SHOWN_TABLES)].map((row) => [
    row.table,
    bytes(row.bytes),
    change(row.bytes, row.weekAgoBytes),
    change(row.bytes, row.monthAgoBytes),
  ]);
  const width = Math.max(...rows.map(([table = '']) => table.length));
  const line = ([table = '', ...cells]: readonly string[]) =>
    table.padEnd(width) + cells.map((cell) => cell.padStart(12)).join('');
  return [['', 'size', 'in a week', 'in a month'], ...rows].map(line);
}

function maintenanceLines(facts: ReportFacts, database: DatabaseName): string[] {
  const records = facts.maintenance[database];
  if (!records) return [UNKNOWN];
  if (records.length === 0) return ['never ran'];
  return records.map((record) => {
    const took = record.durationMs === null ? '' : ` in ${minutes(record.durationMs)}`;
    return `${record.task.padEnd(10)}${day(record.startedAt)} ${record.outcome}${took}${summary(record)}`;
  });
}

function summary(record: TaskRecord): string {
  if (!record.result) return record.error === null ? '' : `: ${record.error}`;
  switch (record.task) {
    case 'vacuum': {
      const { vacuumed, skipped, bloat } = record.result;
      const total = bloat.reduce((sum, { bloatBytes }) => sum + bloatBytes, 0);
      return `: ${vacuumed.length} vacuumed, ${skipped.length} skipped, ${bytes(total)} of bloat`;
    }
    case 'indexes': {
      const { unused, duplicate, missing, invalid, explained, fullReads } = record.result;
      return `: ${unused.length} unused, ${duplicate.length} duplicate, ${missing.length} missing, ${invalid.length} invalid; ${explained} statements explained, ${fullReads.length} without an index`;
    }
    case 'reindex':
      return `: ${record.result.rebuilt.length} rebuilt, ${record.result.removed.length} leftovers removed`;
    case 'cards': {
      const { found, tables } = record.result;
      const whole = tables.filter(({ scanned, blocks }) => scanned >= blocks).length;
      return `: ${found} card numbers found; ${whole} of ${tables.length} tables read whole`;
    }
    case 'logs': {
      const { found, groups, skipped, uncovered } = record.result;
      const others = uncovered.length === 0 ? '' : `; not read: ${uncovered.map(({ what }) => what).join(', ')}`;
      return `: ${found} ${found === 1 ? 'line' : 'lines'} with card numbers; ${groups.length - skipped.length} of ${groups.length} logs read to their end${others}`;
    }
    case 'residency':
      return `: ${[residencyCoverage(record.result), ...residencyFindings(record.result)].join('; ')}`;
    default:
      return `: ${bytes(record.result.databaseBytes)}`;
  }
}
