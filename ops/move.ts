import type { ChangeReport, ProgressReport } from '../lambdas/move/contract';
import type { CommandResult } from './command';
import type { Context } from './context';
import { bytes, counted, duration } from './print/units';

/** Between two looks at the progress. */
const POLL_MS = 2_000;

/** How far a copy is, in one line. */
export function describeProgress({
  tablesReady,
  tablesAll,
  rowsCopied,
  rowsAll,
  lagBytes,
  lagSeconds,
}: ProgressReport): string {
  const copied =
    tablesReady === tablesAll
      ? `${counted(tablesAll, 'table')} copied`
      : `${tablesReady} of ${tablesAll} tables, about ${rowsCopied.toLocaleString('en')} of ${rowsAll.toLocaleString('en')} rows`;
  const lag = lagBytes === null ? [] : [`${bytes(lagBytes)} behind`];
  const arrival = lagSeconds === null ? [] : [`a row arrives after ${duration(lagSeconds * 1000)}`];
  return [...(tablesAll === 0 ? [] : [copied]), ...lag, ...arrival].join(', ');
}

/** Looks at the progress again and again, and says so, until it is as wanted or the operator stops waiting. */
export async function followProgress(
  { invoke, note, signal }: Pick<Context, 'invoke' | 'note' | 'signal'>,
  done: (report: ProgressReport) => boolean,
): Promise<ProgressReport> {
  const { MOVES } = await import('../lambdas/move/contract');
  const { setTimeout: sleep } = await import('node:timers/promises');
  for (;;) {
    const report = await invoke('move', MOVES.progress, { action: 'progress' });
    if (done(report)) return report;
    note(describeProgress(report));
    await sleep(POLL_MS, undefined, { signal });
  }
}

type Step = 'cut-over' | 'roll-back' | 'finish';

/** Says what a step would do, asks for the typed address, and takes the step. */
export async function takeStep(
  { invoke, confirm, note, target }: Context,
  action: Step,
  {
    typed,
    early,
    abandon,
    consequence,
  }: {
    readonly typed: string | undefined;
    readonly early?: boolean;
    readonly abandon?: boolean;
    readonly consequence: string;
  },
): Promise<CommandResult> {
  const { MOVES } = await import('../lambdas/move/contract');
  const request = action === 'finish' ? { action, early } : { action, abandon };
  const plan = await invoke('move', MOVES.change, request);
  for (const step of plan.steps) note(`· ${step}`);
  await confirm(plan.confirmWith, typed, `${consequence} In ${target.environment}.`);
  const report = await invoke('move', MOVES.change, { ...request, confirm: plan.confirmWith });
  return { report, lines: describeChange(report) };
}

/** What a step did, and what comes next. */
export function describeChange({ steps, next }: Pick<ChangeReport, 'steps' | 'next'>): string[] {
  return [...steps, `Next: ${next}`];
}
