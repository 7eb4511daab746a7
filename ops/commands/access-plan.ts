import { describeAccess } from '../access';
import { defineCommand } from '../command';
import { anyNumber, database, optional, required, text } from '../values';

export const accessPlan = defineCommand({
  name: 'access plan',
  summary: 'Shows what roles and privileges an apply would change, and whom it would lock out',
  details:
    'Compares the database with the policy in `core/access/policy.ts`. What another role owns, and what only an administrator of the server may do, is listed apart.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `access` of `lambdas/migrate/contract.ts`',
  finding: 'roles or privileges are not as the policy says',
  arguments: { database: required(database, 'Database to compare') },
  options: {
    keep: anyNumber(text('role'), 'A role of the application, which is given by name what PUBLIC loses'),
    host: optional(
      text('host'),
      'A recovered instance with the same credentials, before its cut-over. Default: the one in use',
    ),
  },
  examples: [{ line: 'access plan main --keep application', explains: 'What would be revoked from whom?' }],
  async run({ invoke, style }, { database: name, keep, host }) {
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const request = { action: 'access', database: name, host, keep, dryRun: true } as const;
    const report = await invoke('migrate', MIGRATIONS.access, request);
    return { report, ...describeAccess(report, style) };
  },
});
