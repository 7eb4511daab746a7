import type { DiscardedMessage, DiscardReport } from '../lambdas/replay/contract';
import type { CommandResult } from './command';
import type { Context } from './context';
import { table } from './print/table';
import { bytes, moment } from './print/units';

/** What the outcomes of the contract are called in the output. */
const OUTCOMES: Readonly<Record<DiscardedMessage['outcome'], string>> = {
  deleted: 'deleted',
  wouldDelete: 'would be deleted',
  isEvent: 'stays parked',
  notFound: 'not parked',
};

interface Choice {
  readonly messages: readonly string[];
  readonly dryRun: boolean;
  /** What was typed with `--confirm`. */
  readonly confirmed: string | undefined;
}

/** Deletes parked messages that hold no event, once the operator has seen which, and has confirmed it. */
export async function discardMessages(
  context: Context,
  { messages, dryRun, confirmed }: Choice,
): Promise<CommandResult> {
  const ask = async (forReal: boolean): Promise<DiscardReport> => {
    const { contract } = await import('../lambdas/replay/contract');
    const report = await context.invoke('replay', contract, { action: 'discard', messages, dryRun: !forReal });
    if (report.action !== 'discard') throw new Error('The replay function answered another request');
    return report;
  };
  const plan = await ask(false);
  const doomed = plan.messages.filter(({ outcome }) => outcome === 'wouldDelete');
  if (dryRun || doomed.length === 0) return describe(plan, context);
  const { environment } = context.target;
  for (const line of describe(plan, context).lines) context.note(line);
  const what = doomed.map(({ message }) => message).join(', ');
  await context.confirm(
    environment,
    confirmed,
    `The queue of parked messages of ${environment} would lose for good: ${what}.`,
  );
  return describe(await ask(true), context);
}

function describe(report: DiscardReport, { style, now }: Pick<Context, 'style' | 'now'>): CommandResult {
  const rows = report.messages.map(({ message, sentAt, bytes: size, outcome, event, reason }) => [
    message,
    sentAt && moment(sentAt, now()),
    size === undefined ? undefined : bytes(size),
    OUTCOMES[outcome],
    event === undefined ? reason : `it holds the event ${event}: ops webhooks retry ${event}, or dismiss it by its id`,
  ]);
  return {
    report,
    lines: table(['message', 'sent', 'size', 'outcome', 'why'], rows, style),
    exit: report.messages.every(({ outcome }) => outcome === 'deleted' || outcome === 'wouldDelete')
      ? 'done'
      : 'finding',
  };
}
