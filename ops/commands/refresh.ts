import type { RefreshReport, RefreshRequest } from '../../lambdas/refresh/contract';
import { callerName } from '../audit';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { table } from '../print/table';
import { flag, optional, text } from '../values';

export const refresh = defineCommand({
  name: 'refresh',
  summary: 'Reads objects from Stripe again that events alone cannot bring up to date',
  details:
    'The schedule does so every minute. The object of --object is read even if no refresh of it is due. What Stripe does not have stays as it is, and goes on granting and counting as revenue, unless --cancel-missing cancels it here: a subscription, purchase, invoice, invoice payment, payment intent, charge, dispute or early fraud warning. If Stripe has it after all, it is stored as it is there.',
  effect: 'changes',
  changes: 'stores the objects as Stripe has them, and what they grant; with --dry-run, nothing.',
  json: 'the report of `lambdas/refresh/contract.ts`',
  finding: 'an object could not be read or stored, or Stripe does not have it',
  arguments: {},
  options: {
    object: optional(text('object'), 'Id of one object, such as sub_123. Default: every object whose refresh is due'),
    cancelMissing: flag('Cancel --object here, as of now, if Stripe does not have it'),
    reason: optional(text('reason'), 'With --cancel-missing: why, for the record'),
    confirm: optional(text('object'), 'With --cancel-missing: the id of the object, typed again'),
    dryRun: flag('Report what would be stored, and store nothing'),
  },
  examples: [
    { line: 'refresh --object sub_1A2b3C', explains: 'Store a subscription as Stripe has it.' },
    {
      line: 'refresh --object sub_1A2b3C --cancel-missing --reason "made by a sample event" --dry-run',
      explains: 'Would a subscription that Stripe does not have be canceled?',
    },
    {
      line: 'refresh --object cs_1A2b3C --cancel-missing --reason "made by a sample event"',
      explains: 'Take back a purchase that Stripe does not have.',
    },
    { line: 'refresh --dry-run', explains: 'What waits, and what would become of it?' },
  ],
  async run(context, { object, cancelMissing, reason, confirm, dryRun }) {
    const { style } = context;
    if (!cancelMissing && (reason ?? confirm) !== undefined) {
      throw new CommandError('usage', '--reason and --confirm: only together with --cancel-missing');
    }
    const report = cancelMissing
      ? await cancel(context, { object, reason, confirm, dryRun })
      : await read(context, { object, dryRun });
    const { outcomes, objects, pending } = report;
    const rows = objects.map(({ id, kind, outcome, error }) => [kind, id, outcome, error ?? '']);
    return {
      report,
      lines: [
        ...(rows.length === 0 ? ['No refresh is due'] : table(['kind', 'object', 'outcome', 'error'], rows, style)),
        pending === 1 ? '1 refresh is pending' : `${pending} refreshes are pending`,
      ],
      exit: (outcomes.failed ?? 0) + (outcomes.missing ?? 0) > 0 ? 'finding' : 'done',
    };
  },
});

async function read({ invoke }: Context, request: RefreshRequest): Promise<RefreshReport> {
  const { contract } = await import('../../lambdas/refresh/contract');
  return invoke('refresh', contract, request);
}

interface Cancellation {
  readonly object: string | undefined;
  readonly reason: string | undefined;
  readonly confirm: string | undefined;
  readonly dryRun: boolean;
}

/** Cancels an object that Stripe does not have, once it is known that it would be and the operator agreed. */
async function cancel(context: Context, { object, reason, confirm, dryRun }: Cancellation): Promise<RefreshReport> {
  if (object === undefined || reason === undefined) {
    throw new CommandError('usage', '--cancel-missing: give --object and --reason as well');
  }
  const request = { object, cancelMissing: { reason, by: await callerName(context.clients, context.target) } };
  const plan = await read(context, { ...request, dryRun: true });
  if (dryRun || plan.outcomes.canceled === undefined) return plan;
  await context.confirm(
    object,
    confirm,
    `${object} would be canceled here as of now, and neither grant nor count any more.`,
  );
  return read(context, { ...request, dryRun: false });
}
