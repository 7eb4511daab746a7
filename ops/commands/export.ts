import type { ExportReport } from '../../lambdas/erasure/contract';
import { defineCommand } from '../command';
import { assertNewFile, writeNewFile } from '../files';
import { counted } from '../print/units';
import { SUBJECT_OPTIONS, subjectOf } from '../subject';
import { optional, text } from '../values';

export const exportPerson = defineCommand({
  name: 'export',
  summary: 'Writes what both databases hold of a person as JSON, for an access request',
  details: 'Keep the file where only the person gets it. That it was made is in the audit log.',
  effect: 'adds',
  isAboutAPerson: true,
  changes: 'nothing; the audit log records that there was an export.',
  json: '`{exportedAt, rows}`: rows as `{database, table, row}`',
  arguments: {},
  options: {
    ...SUBJECT_OPTIONS,
    to: optional(text('file'), 'File to write, which must not exist. Default: the standard output'),
  },
  examples: [{ line: 'export --customer cus_1A2b3C --to cus_1A2b3C.json', explains: 'Answer an access request.' }],
  async run({ invoke, note }, { to, ...options }) {
    const { subject } = subjectOf(options);
    if (to !== undefined) assertNewFile(to, '--to');
    const { contract, exportReport } = await import('../../lambdas/erasure/contract');
    const exports = { ...contract, report: exportReport };
    const rows: ExportReport['rows'] = [];
    let page: ExportReport | undefined;
    do {
      page = await invoke('erasure', exports, { action: 'export', subject, next: page?.next ?? undefined });
      rows.push(...page.rows);
    } while (page.next !== null);
    const report = { exportedAt: page.exportedAt, rows };
    const document = JSON.stringify(report, undefined, 2);
    if (to === undefined) return { report, lines: [document] };
    writeNewFile(to, `${document}\n`, '--to');
    note('The file holds personal data: delete it once it is handed over');
    return { report, lines: [`${counted(rows.length, 'row')} written to ${to}`] };
  },
});
