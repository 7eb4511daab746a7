import { DATABASE_NAMES, type DatabaseName, LOCAL_ENVIRONMENT, MAINTENANCE_PERIOD_DAYS } from '../../core/contract';
import { drillOutcome, recordedFindings } from '../../core/restore/contract';
import { residencyFindings, residencyFix } from '../../core/residency/contract';
import type { ResultOf, TaskRecord } from './contract';
import type { ReportFacts } from './report-facts';
import { bytes, day, daysSince } from './report-units';

/** Days that a monthly job may be late, and a weekly one. */
const GRACE_DAYS = 4;
const DRILL_LIMIT_DAYS = 35;
/** Secrets that Stripe issues are changed by hand; those of the databases change by themselves before that. */
const SECRET_LIMIT_DAYS = 92;
/** Days without a use after which a key of the API is asked about, of one that was never used, and before its end. */
const KEY_UNUSED_DAYS = 92;
const KEY_NEVER_USED_DAYS = 31;
const KEY_ENDS_DAYS = 35;
/** Days that a key of the API may be in force. */
const KEY_LIMIT_DAYS = 365;
/** In a month. A disk that is to last a year must not grow faster. */
const GROWTH_PERCENT = 20;
const GROWTH_MINIMUM_BYTES = 1024 ** 3;

/** What an operator has to decide or to look into, each with what it is about first. */
export function decisionsOf(facts: ReportFacts): string[] {
  return [
    ...stateDecisions(facts),
    ...keyDecisions(facts),
    ...DATABASE_NAMES.flatMap((database) => [
      ...drillDecisions(facts, database),
      ...DATABASE_TASKS.flatMap((task) => taskDecisions(facts, database, task)),
    ]),
    // Of all stacks, and recorded in billing.
    ...taskDecisions(facts, 'billing', 'logs'),
    // The local platform is in no region.
    ...(facts.environment === LOCAL_ENVIRONMENT ? [] : taskDecisions(facts, 'billing', 'residency')),
    ...facts.problems.map((problem) => `Could not be looked up: ${problem}`),
  ];
}

const DATABASE_TASKS = ['sizes', 'vacuum', 'indexes', 'cards'] as const;

function stateDecisions({ status, at }: ReportFacts): string[] {
  if (!status) return [];
  const late = status.databases.filter(
    ({ newestArchive, archiveLimitSeconds }) =>
      newestArchive === null || (at.getTime() - Date.parse(newestArchive)) / 1000 > archiveLimitSeconds,
  );
  const old = status.secrets.filter(
    ({ changedAt }) => changedAt !== null && daysSince(changedAt, at) > SECRET_LIMIT_DAYS,
  );
  const { parked = 0 } = status.queues ?? {};
  const { failed = 0 } = status.events ?? {};
  return [
    ...late.map(({ database, newestArchive }) => `${database}: no archive since ${day(newestArchive)}. Why?`),
    ...(parked > 0 ? [`events: ${parked} parked. Retry or dismiss them: ops webhooks parked`] : []),
    ...(failed > 0 ? [`events: ${failed} failed. Retry or dismiss them: ops webhooks list --status failed`] : []),
    ...old.map(({ secret, changedAt }) => `secret ${secret}: unchanged since ${day(changedAt)}. Change it?`),
  ];
}

/** One question for each key: a key that nobody uses need not be rotated. */
function keyDecisions({ keys = [], at }: ReportFacts): string[] {
  return keys.flatMap(({ id, name, createdAt, expiresAt, lastUsedAt }) => {
    const key = `API key ${name}`;
    const isUnused =
      lastUsedAt === null
        ? daysSince(createdAt, at) > KEY_NEVER_USED_DAYS
        : daysSince(lastUsedAt, at) > KEY_UNUSED_DAYS;
    if (isUnused) {
      const since = lastUsedAt === null ? `never used since ${day(createdAt)}` : `not used since ${day(lastUsedAt)}`;
      return [`${key}: ${since}. Revoke it? ops keys revoke ${id}`];
    }
    if (expiresAt !== null && -daysSince(expiresAt, at) < KEY_ENDS_DAYS) {
      return [`${key}: ends on ${day(expiresAt)}. Rotate it? ops keys rotate ${id}`];
    }
    return daysSince(createdAt, at) > KEY_LIMIT_DAYS
      ? [`${key}: in force since ${day(createdAt)}. Rotate it? ops keys rotate ${id}`]
      : [];
  });
}

function drillDecisions({ drills, at }: ReportFacts, database: DatabaseName): string[] {
  const known = drills[database];
  if (!known) return [];
  const [newest] = known;
  if (!newest) return [`${database}: never drilled. Prove a restore: ops drill ${database}`];
  const drill = `${database}: the drill of ${day(newest.startedAt)}`;
  const found = recordedFindings(newest);
  const findings = found === null ? [] : [`${drill} ${drillOutcome(newest.outcome, found)}: ${found}`];
  if (newest.outcome !== 'passed') {
    return [`${drill} ended ${newest.outcome}. Can it be restored in time?`, ...findings];
  }
  const overdue =
    daysSince(newest.startedAt, at) > DRILL_LIMIT_DAYS
      ? [`${database}: no drill since ${day(newest.startedAt)}. Prove a restore: ops drill ${database}`]
      : [];
  return [...overdue, ...findings];
}

function taskDecisions(
  { maintenance, at }: ReportFacts,
  database: DatabaseName,
  task: (typeof DATABASE_TASKS)[number] | 'logs' | 'residency',
): string[] {
  const records = maintenance[database];
  if (!records) return [];
  const record = records.find((known) => known.task === task);
  const again = `ops maintenance run ${database} --task ${task}`;
  if (!record) return [`${database}: task ${task} never ran. Run it: ${again}`];
  if (record.outcome === 'failed' || record.outcome === 'interrupted') {
    return [`${database}: task ${task} of ${day(record.startedAt)} ${record.outcome}: ${record.error ?? ''}. ${again}`];
  }
  if (daysSince(record.startedAt, at) > MAINTENANCE_PERIOD_DAYS[task] + GRACE_DAYS) {
    return [`${database}: task ${task} last ran on ${day(record.startedAt)}. Why not since?`];
  }
  const about = task === 'residency' ? task : database;
  return findingsOf(record).map((finding) => `${about}: ${finding}`);
}

function findingsOf(record: TaskRecord): string[] {
  if (!record.result) return [];
  if (record.task === 'indexes') return indexDecisions(record.result);
  if (record.task === 'vacuum') return vacuumDecisions(record.result);
  if (record.task === 'sizes') return growthDecisions(record.result);
  if (record.task === 'cards') return cardDecisions(record.result);
  if (record.task === 'logs') return logDecisions(record.result);
  if (record.task === 'residency') return residencyDecisions(record.result);
  return [];
}

function indexDecisions(result: ResultOf<'indexes'>): string[] {
  const { countedSince, unused, duplicate, missing, invalid, fullReads } = result;
  return [
    ...fullReads.map(
      ({ statement, tables }) => `statement ${statement} reads all of ${tables.join(', ')}. Add an index?`,
    ),
    ...missing.map(
      ({ table, columns, references }) =>
        `foreign key (${columns.join(', ')}) of ${table} to ${references} has no index. Add one?`,
    ),
    ...duplicate.map(
      ({ index, coveredBy, bytes: size }) => `index ${index} (${bytes(size)}) repeats ${coveredBy}. Drop it?`,
    ),
    ...unused.map(
      ({ index, bytes: size }) => `index ${index} (${bytes(size)}) was not used since ${day(countedSince)}. Drop it?`,
    ),
    ...invalid.map((index) => `index ${index} is invalid and serves nothing. Rebuild or drop it?`),
  ];
}

function vacuumDecisions({ bloat, skipped }: ResultOf<'vacuum'>): string[] {
  return [
    ...bloat.map(
      ({ kind, relation, bloatBytes, bloatPercent }) =>
        `${kind} ${relation}: ${bytes(bloatBytes)} (${bloatPercent} %) of bloat. ${
          kind === 'index' ? 'Rebuild it?' : 'Will new rows fill it, or has it to be rewritten?'
        }`,
    ),
    ...skipped.map(({ relation, reason }) => `table ${relation} was not vacuumed: ${reason}`),
  ];
}

function cardDecisions({ found, findings, skipped }: ResultOf<'cards'>): string[] {
  const places = [...new Set(findings.map(({ table, column }) => `${table}.${column}`))];
  return [
    ...(found > 0
      ? [`card numbers in ${places.join(', ')} (${found}). Remove them: runbook, "Card numbers found"`]
      : []),
    ...skipped.map(({ relation, reason }) => `table ${relation} was not scanned for card numbers: ${reason}`),
  ];
}

function logDecisions({ found, findings, skipped }: ResultOf<'logs'>): string[] {
  const logs = [...new Set(findings.map(({ group }) => group))];
  return [
    ...(found > 0
      ? [
          `card numbers in ${found} ${found === 1 ? 'line' : 'lines'} of ${logs.join(', ')}. Remove them: runbook, "Card numbers found"`,
        ]
      : []),
    ...skipped.map(({ relation, reason }) => `log ${relation} was not scanned for card numbers: ${reason}`),
  ];
}

function residencyDecisions(result: ResultOf<'residency'>): string[] {
  const findings = residencyFindings(result);
  return findings.length === 0
    ? []
    : [`${findings.join(', ')}. Fix: ${residencyFix(result)}; runbook, "Data outside the allowed regions"`];
}

function growthDecisions({ databaseBytes, monthAgoBytes }: ResultOf<'sizes'>): string[] {
  if (monthAgoBytes === null) return [];
  const grown = databaseBytes - monthAgoBytes;
  return grown >= GROWTH_MINIMUM_BYTES && grown * 100 > GROWTH_PERCENT * monthAgoBytes
    ? [`grew by ${bytes(grown)} in a month, to ${bytes(databaseBytes)}. Is its disk large enough for the next quarter?`]
    : [];
}
