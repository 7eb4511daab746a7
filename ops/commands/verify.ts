import { defineCommand } from '../command';
import { fields } from '../print/table';
import { duration, moment } from '../print/units';
import { database, optional, required, text, wholeNumber } from '../values';

export const verify = defineCommand({
  name: 'verify',
  summary: 'Checks that a database is sound: foreign keys, sequences, rules of the domain, schema',
  details: 'It also warns of extensions that a restore by the login of the functions may not make.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report of `lambdas/verify/contract.ts`',
  finding: 'the database is not sound, or a check was not made because time ran out',
  arguments: { database: required(database, 'Database to check') },
  options: {
    targetDatabase: optional(text('name'), 'Another database of the server, such as a restored one'),
    host: optional(text('host'), 'Another server with the same credentials, such as a recovered instance'),
    port: optional(wholeNumber('port', 1, 65_535), 'Port of that server'),
  },
  examples: [
    { line: 'verify billing', explains: 'Check the database in use.' },
    { line: 'verify billing --target-database billing_before', explains: 'Check one that was restored.' },
  ],
  async run({ invoke, style, now }, { database: name, targetDatabase, host, port }) {
    const { contract } = await import('../../lambdas/verify/contract');
    const report = await invoke('verify', contract, { database: name, targetDatabase, host, port });
    const { problems, warnings, notChecked, pendingMigrations } = report;
    return {
      report,
      lines: [
        ...fields(
          [
            ['database', `${report.targetDatabase} at ${report.host}`],
            ['sound', report.sound ? style.green('yes') : style.red('no')],
            [
              'checked',
              `${report.tables} tables, ${report.foreignKeysChecked} foreign keys, ${report.sequencesChecked} sequences, ${report.invariantsChecked} rules`,
            ],
            ['schema', report.schemaVersion],
            ...(pendingMigrations.length > 0 ? [['pending', pendingMigrations.join(', ')] as const] : []),
            ['newest event', moment(report.newestAt, now())],
            ['took', duration(report.durationMs)],
          ],
          style,
        ),
        ...problems.map(({ check, message }) => style.red(`${check}: ${message}`)),
        ...warnings.map((warning) => style.yellow(`warning: ${warning}`)),
        ...notChecked.map((check) => style.yellow(`${check}: not checked, the time ran out`)),
      ],
      exit: report.sound && notChecked.length === 0 ? 'done' : 'finding',
    };
  },
});
