import { defineCommand } from '../command';
import { database, required } from '../values';

export const migrateValidate = defineCommand({
  name: 'migrate validate',
  summary: 'Compares the record of migrations with the files, and the live schema with the one that they make',
  details:
    'It finds duplicates, gaps, edited files, migrations that could end half applied, and tables, columns, constraints, indexes or triggers that are missing or differ.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `validate` of `lambdas/migrate/contract.ts`',
  finding: 'something is wrong, or could not be compared',
  arguments: { database: required(database, 'Database to validate') },
  options: {},
  examples: [{ line: 'migrate validate billing', explains: 'Did anybody change the schema by hand?' }],
  async run({ invoke, style }, { database: name }) {
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const report = await invoke('migrate', MIGRATIONS.validate, { action: 'validate', database: name });
    const { valid, problems, notChecked, applied, files } = report;
    return {
      report,
      lines: [
        `${name}: ${applied} of ${files} migrations are applied`,
        ...problems.map((problem) => style.red(problem)),
        ...notChecked.map((what) => style.yellow(`Not checked: ${what}`)),
        ...(valid ? ['The record, the files and the schema agree'] : []),
      ],
      exit: valid && notChecked.length === 0 ? 'done' : 'finding',
    };
  },
});
