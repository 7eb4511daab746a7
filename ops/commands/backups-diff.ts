import type { InspectionReport } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { inspect } from '../inspect';
import type { Style } from '../print/style';
import { fields } from '../print/table';
import { counted, moment } from '../print/units';
import { database, optional, required, time } from '../values';

type Change = InspectionReport<'schema-changes'>['changes'][number];

export const backupsDiff = defineCommand({
  name: 'backups diff',
  summary: 'Shows what differs between the schemas of two archives: objects added, removed, changed',
  details:
    'The lines are those of pg_dump. Where the records of migrations are the same in both archives, the schema was changed by hand or by another tool.',
  effect: 'reads',
  changes: 'nothing.',
  finding: 'the schemas differ',
  json: 'the report `schema-changes` of `lambdas/inspect/archive/contract.ts`',
  arguments: { database: required(database, 'Database of the archives') },
  options: {
    from: optional(time(), 'Moment that names the earlier archive. Default: the one before the later'),
    to: optional(time(), 'Moment that names the later archive. Default: the newest one'),
  },
  examples: [
    { line: 'backups diff main', explains: 'What has changed since the archive before the newest?' },
    {
      line: 'backups diff main --from 2026-11-20T02:00:00Z --to 2026-11-21T02:00:00Z',
      explains: 'What changed on that day?',
    },
  ],
  async run(context, { database: name, from, to }) {
    const report = await inspect(context, 'schema-changes', { database: name, from, to });
    const { style, now } = context;
    const { changes, total, recorded } = report;
    const described = ({ slot, schemaVersion }: (typeof report)['from']) =>
      `${moment(slot, now())}, schema ${schemaVersion ?? 'without a record'}`;
    return {
      report,
      lines: [
        ...fields(
          [
            ['from', described(report.from)],
            ['to', described(report.to)],
            ['differ', total === 0 ? 'no objects' : counted(total, 'object')],
          ],
          style,
        ),
        ...(total > 0 && !recorded ? [style.yellow('No migration was recorded between them')] : []),
        ...changes.flatMap((change) => linesOf(change, style)),
        ...(total > changes.length ? [style.dim(`and ${counted(total - changes.length, 'further object')}`)] : []),
      ],
      exit: total > 0 ? 'finding' : 'done',
    };
  },
});

function linesOf({ change, object, lines, linesLeftOut }: Change, style: Style): string[] {
  return [
    `${change.padEnd('removed'.length)}  ${style.bold(printable(object))}`,
    ...lines.map((line) => (line.startsWith('-') ? style.red : style.green)(`  ${printable(line)}`)),
    ...(linesLeftOut > 0 ? [style.dim(`  and ${counted(linesLeftOut, 'further line')}`)] : []),
  ];
}

/** Names and comments are the application's: no control character of theirs may reach the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t]/gu, '\uFFFD');
}
