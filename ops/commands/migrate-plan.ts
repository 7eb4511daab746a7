import { defineCommand } from '../command';
import { describeMigrations, lossesOf } from '../migration-plan';
import { database, optional, required, text } from '../values';

export const migratePlan = defineCommand({
  name: 'migrate plan',
  summary: 'Shows the SQL of an apply, what it locks and for how long, and what it loses',
  details:
    'The migrations run in an empty database beside, which is dropped again, so that the locks are those that PostgreSQL took. Durations are estimates: the sizes of today, on a server without other load.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `plan` of `lambdas/migrate/contract.ts`',
  finding: 'a migration is pending',
  arguments: { database: required(database, 'Database to plan for') },
  options: {
    adopt: optional(
      text('name'),
      'Name of the PostgreSQL database, to plan its adoption beside the tables of another tool',
    ),
  },
  examples: [{ line: 'migrate plan billing', explains: 'What would the next apply do, and whom would it stop?' }],
  async run(context, { database: name, adopt }) {
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const report = await context.invoke('migrate', MIGRATIONS.plan, { action: 'plan', database: name, adopt });
    const { pending, current, plan, notExamined } = report;
    if (pending.length === 0) {
      return { report, lines: [`${name} is at ${current ?? 'no migration'}; nothing is pending`] };
    }
    const losses = plan.flatMap(lossesOf);
    return {
      report,
      lines: [
        `${name} is at ${current ?? 'no migration'}; an apply would run:`,
        ...describeMigrations(plan, context),
        ...(notExamined === null ? [] : [context.style.yellow(`Locks are not known: ${notExamined}`)]),
        losses.length === 0
          ? 'No present data is lost'
          : context.style.red(`Data is lost: ${losses.join('; ')}. A rollback does not bring it back`),
      ],
      exit: 'finding',
    };
  },
});
