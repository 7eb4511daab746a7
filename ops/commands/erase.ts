import { functionName } from '../../core/contract';
import type { EraseReport } from '../../lambdas/erasure/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { table } from '../print/table';
import { counted } from '../print/units';
import { SUBJECT_OPTIONS, subjectOf } from '../subject';
import { flag, optional, text } from '../values';

/** Before the ids of Tilled's customers in billing; Stripe's have none. */
const TILLED_PREFIX = 'tilled:';

export const erase = defineCommand({
  name: 'erase',
  summary: 'Erases a person from both databases, for good, also after a restore of an older backup',
  details:
    'Amounts, dates, countries and ids at Stripe stay, as the law wants. Delete the customer at Stripe as well. Killed, the same command completes it.',
  effect: 'changes',
  isAboutAPerson: true,
  changes:
    'reduces every row of the person in billing, treats what `erasure.main` of the configuration names in main, deletes all row reports, and adds to the ledger of erasures; with --dry-run, nothing, but triggers of the tables that `erasure.main` names fire in an attempt that is rolled back.',
  json: 'the report `erase` of `lambdas/erasure/contract.ts`',
  finding:
    'a dry run found what a confirmed erasure refuses: something still runs, or the configuration names a column of main that is not there, or that cannot take its treatment',
  arguments: {},
  options: {
    ...SUBJECT_OPTIONS,
    dryRun: flag('Say what would be erased, and change nothing'),
    confirm: optional(text('id'), 'The id of the customer or user, typed again'),
  },
  examples: [
    { line: 'erase --customer cus_1A2b3C --dry-run', explains: 'What is stored of a customer?' },
    { line: 'erase --customer cus_1A2b3C --confirm cus_1A2b3C', explains: 'Erase the customer.' },
  ],
  async run(context, { dryRun, confirm, ...options }) {
    const { subject, id } = subjectOf(options);
    const { contract, eraseReport } = await import('../../lambdas/erasure/contract');
    const erases = { ...contract, report: eraseReport };
    const plan = await context.invoke('erasure', erases, { action: 'erase', subject });
    const obstacles = plan.running.length + plan.hookProblems.length > 0;
    if (dryRun) return { report: plan, lines: describe(plan, context), exit: obstacles ? 'finding' : 'done' };
    for (const line of describe(plan, context)) context.note(line);
    if (obstacles) throw new CommandError('refused', 'Nothing was erased: see above what stands in the way');
    await context.confirm(id, confirm, `These rows would be erased for good in ${context.target.environment}.`);
    const typed = { confirm: id };
    let report = await context.invoke('erasure', erases, { action: 'erase', subject, typed });
    const tables = [...report.tables];
    while (report.continueFrom !== null) {
      context.note(`The time of the function ended at billing.${report.continueFrom.table}; it continues there`);
      const { continueFrom } = report;
      report = await context.invoke('erasure', erases, { action: 'erase', subject, typed, continueFrom });
      tables.push(...report.tables);
    }
    const whole = { ...report, tables };
    return { report: whole, lines: describe(whole, context) };
  },
});

/** How to erase everybody again in databases that restores may have made. */
function replays({ otherDatabases }: EraseReport, { environment, platform }: Context['target']): string[] {
  if (otherDatabases.length === 0) return [];
  const local =
    platform === undefined ? '' : ` --region ${platform.region} --endpoint-url ${platform.endpoints.lambda}`;
  return [
    'Other databases stay as they are. Drop each that a restore made, or erase everybody of the ledger there, with "continueFrom" of the answer until it is "done":',
    ...otherDatabases.map(({ toldApart, ...other }) => {
      const payload = JSON.stringify({ action: 'replay', ...other, dryRun: false });
      const doubt = toldApart ? '' : ' (not told apart: it may be of another environment)';
      return `  ${other.targetDatabase}${doubt}: aws lambda invoke --function-name ${functionName(environment, 'erasure')} --cli-binary-format raw-in-base64-out --cli-read-timeout 0${local} --payload '${payload}' answer.json`;
    }),
  ];
}

function describe(report: EraseReport, { style, target }: Pick<Context, 'style' | 'target'>): string[] {
  const { dryRun, customers, users, sharedUsers, running, hookProblems, reportsDeleted, erasureId } = report;
  const rows = report.tables.map((each) => [each.database, each.table, each.rows]);
  const whom = [counted(customers.length, 'customer'), counted(users, 'user')].join(' and ');
  return [
    dryRun
      ? `Rows that hold something of ${whom}:`
      : `Erased ${whom}, as ${erasureId ?? 'before'}. Rows that were reduced:`,
    ...table(['database', 'table', 'rows'], rows, style),
    ...running.map((what) => style.yellow(`still runs: ${what}; end it first`)),
    ...(report.hooks === 0
      ? [
          style.yellow(
            "erasure.main of the configuration is empty: the application's tables in the main database stay as they are",
          ),
        ]
      : []),
    ...hookProblems.map((problem) => style.yellow(`erasure.main of the configuration: ${problem}`)),
    ...(sharedUsers > 0
      ? [
          style.yellow(
            `${counted(sharedUsers, 'user')} of the customer have other customers as well, and stay: erase --user includes them`,
          ),
        ]
      : []),
    ...replays(report, target).map((line) => style.yellow(line)),
    ...(dryRun ? [] : [`${counted(reportsDeleted, 'object')} of row reports deleted`]),
    ...customers.map((customer) =>
      customer.startsWith(TILLED_PREFIX)
        ? `At Tilled: delete customer ${customer.slice(TILLED_PREFIX.length)}`
        : `At Stripe: stripe customers delete ${customer}, and a redaction job for what Stripe keeps`,
    ),
  ];
}
