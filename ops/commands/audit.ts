import { AUDIT_SOURCES, type AuditEntry, type AuditSource, type Span } from '../audit-entry';
import { ask } from '../audit-sources';
import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import { CommandError, explain, NotOnLocalPlatform } from '../errors';
import { table } from '../print/table';
import { moment } from '../print/units';
import { anyNumber, oneOf, optional, text, time, wholeNumber } from '../values';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 7;
/** For which commands and logs are kept. */
const MAX_DAYS = 365;
const DEFAULT_LIMIT = 200;
/** Characters of what was done in the table; `--json` has all. */
const LONGEST = 160;

interface Missing {
  readonly source: AuditSource;
  readonly why: string;
}

export const audit = defineCommand({
  name: 'audit',
  summary: 'Lists who did what, and when, from all that is recorded',
  details:
    'Sources: `operations`, what operators and the API changed; `records`, tables of the databases (keys of the API and their last use, owners, erasures, payouts, accepted payments, migrations, merged rows); `secrets`, the last change of each; `logins`, people who logged in to a database; `statements`, changes that pgaudit recorded; `reads`, what people read in a database, by pgaudit; `api`, requests to the API and the Stability page; `objects`, requests to the bucket of archives, and to that of the copies in the second region, that no function of the environment made. Commands and logs are kept for a year, the rest as long as its rows; of a secret only the last change. `logins`, `statements` and `reads` list the newest 200 that --who and --about choose, `api` the newest 200 of the time, among which they choose: name a short one. What else records, and where: [Audit](access.md#audit).',
  effect: 'reads',
  changes: 'nothing.',
  json: '`{since, until, entries, leftOut, notAsked, incomplete}`; an entry is `{at, source, who, what, about}`, `leftOut` a number of entries',
  finding:
    'a source could not be asked, or not in full, or has more than it lists, or --limit left entries out: the answer is not complete',
  arguments: {},
  options: {
    days: optional(wholeNumber('days', 1, MAX_DAYS), `Days to look back. Default: ${DEFAULT_DAYS}`),
    since: optional(time(), 'First moment, in place of --days'),
    until: optional(time(), 'End of the time. Default: now'),
    who: optional(text('name'), 'Only what was done by these: a part of a name, of any case'),
    about: optional(
      text('object'),
      'Only what names this object, database, key or secret, also in a command or statement',
    ),
    source: anyNumber(oneOf('source', AUDIT_SOURCES), 'Only this source. Default: all'),
    limit: optional(wholeNumber('count', 1, 2000), `Entries to list at most. Default: ${DEFAULT_LIMIT}`),
  },
  examples: [
    { line: 'audit --days 30', explains: 'Who changed what in the last month?' },
    {
      line: 'audit --who ann --source logins --source statements',
      explains: 'When was ann in a database, and what did she change?',
    },
    {
      line: 'audit --source reads --about billing.customers --days 1',
      explains: 'Who read names and addresses of customers since yesterday?',
    },
    { line: 'audit --source objects --days 30', explains: 'Who read or changed archives?' },
    { line: 'audit --about sub_123 --since 2026-11-01T00:00:00Z', explains: 'What was done to a subscription?' },
  ],
  async run(context, { days, since, until, who, about, source, limit = DEFAULT_LIMIT }) {
    const { style, now } = context;
    assertAtMostOne({ '--days': days !== undefined, '--since': since !== undefined });
    const span = spanOf(now(), { days, since, until });
    const found: AuditEntry[] = [];
    const notAsked: Missing[] = [];
    const cutSources: AuditSource[] = [];
    let isIncomplete = false;
    for (const each of source.length === 0 ? AUDIT_SOURCES : source) {
      try {
        const { entries, more, notAsked: parts = [] } = await ask(context, each, span, { who, about });
        found.push(...entries);
        if (more) cutSources.push(each);
        notAsked.push(...parts.map((why) => ({ source: each, why })));
        isIncomplete ||= parts.length > 0;
      } catch (error) {
        context.signal.throwIfAborted();
        // The local platform has no logs of its databases: an answer there lacks nothing.
        isIncomplete ||= !(error instanceof NotOnLocalPlatform);
        notAsked.push({ source: each, why: explain(error, `ask ${each}`, context.target.label).message });
      }
    }
    const matching = found
      .filter(({ at }) => at >= span.since && at < span.until)
      .filter((entry) => contains(entry.who ?? '', who) && contains(`${entry.about ?? ''} ${entry.what}`, about))
      .toSorted((one, other) => (one.at < other.at ? 1 : -1));
    const entries = matching.slice(0, limit);
    const leftOut = matching.length - entries.length;
    const rows = entries.map((entry) => [
      moment(entry.at, now()),
      entry.source,
      entry.who ?? '–',
      shortened(entry.what),
      entry.about ?? '',
    ]);
    isIncomplete ||= leftOut > 0 || cutSources.length > 0;
    return {
      report: { ...span, entries, leftOut, notAsked, incomplete: cutSources },
      lines: [
        ...(rows.length === 0 ? ['Nothing is recorded'] : table(['at', 'source', 'who', 'what', 'about'], rows, style)),
        ...(leftOut > 0 ? [style.yellow(`${leftOut.toLocaleString('en')} older left out: --limit`)] : []),
        ...cutSources.map((each) => style.yellow(`${each} has more than it lists: name a shorter time`)),
        ...notAsked.map((each) => style.yellow(`Not asked: ${each.source}. ${each.why}`)),
      ],
      exit: isIncomplete ? 'finding' : 'done',
    };
  },
});

function spanOf(
  now: Date,
  {
    days = DEFAULT_DAYS,
    since,
    until,
  }: { readonly days?: number | undefined; readonly since?: string | undefined; readonly until?: string | undefined },
): Span {
  const end = until ?? new Date(now.getTime() + 1).toISOString();
  const start = since ?? new Date(Date.parse(end) - days * DAY_MS).toISOString();
  if (start >= end) throw new CommandError('usage', `--since ${start} is not before the end, ${end}`);
  if (Date.parse(end) - Date.parse(start) > MAX_DAYS * DAY_MS) {
    throw new CommandError(
      'usage',
      `expected a time of at most ${MAX_DAYS} days: commands and logs are kept for a year`,
    );
  }
  return { since: new Date(start).toISOString(), until: new Date(end).toISOString() };
}

const contains = (value: string, part: string | undefined): boolean =>
  part === undefined || value.toLowerCase().includes(part.toLowerCase());

const shortened = (value: string): string => {
  const line = value.replaceAll(/\s+/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
};
