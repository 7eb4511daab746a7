import { describeAccess } from '../access';
import { defineCommand } from '../command';
import { anyNumber, database, optional, required, text } from '../values';

export const accessApply = defineCommand({
  name: 'access apply',
  summary: 'Makes roles and privileges as the policy says, and gives logins the passwords of their secrets',
  details:
    'All changes or none. Sessions that are open stay open; a role that loses the right to connect is refused the next time. Repeating it changes nothing.',
  effect: 'changes',
  changes: 'roles, memberships and privileges of the database, and what roles without a grant may do in it.',
  json: 'the report `access` of `lambdas/migrate/contract.ts`',
  finding: 'something is left that the user of the migrations cannot change',
  arguments: { database: required(database, 'Database to change') },
  options: {
    keep: anyNumber(text('role'), 'A role of the application, which is given by name what PUBLIC loses'),
    host: optional(
      text('host'),
      'A recovered instance with the same credentials, before its cut-over. Default: the one in use',
    ),
    confirm: optional(text('database'), 'The name of the database, typed again'),
  },
  examples: [
    { line: 'access apply billing --confirm billing', explains: 'After the first migrations of an environment.' },
    {
      line: 'access apply main --keep application --confirm main',
      explains: 'Adopt a database that an application uses.',
    },
    {
      line: 'access apply billing --host <host> --confirm billing',
      explains: 'Give a recovered instance the passwords of today.',
    },
  ],
  async run({ invoke, confirm, target, style, note }, { database: name, keep, host, confirm: typed }) {
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const request = { action: 'access', database: name, host, keep, dryRun: true } as const;
    const plan = await invoke('migrate', MIGRATIONS.access, request);
    if (plan.changes.length === 0 && plan.passwords.length === 0) {
      return { report: plan, ...describeAccess(plan, style, 'after') };
    }
    for (const line of describeAccess(plan, style).lines) note(line);
    await confirm(name, typed, `Roles and privileges of ${name} would change in ${target.environment}.`);
    const report = await invoke('migrate', MIGRATIONS.access, { ...request, dryRun: false });
    return { report, ...describeAccess(report, style, 'after') };
  },
});
