import type { InspectionName, InspectionReport } from '../lambdas/inspect/contract';
import type * as z from 'zod';
import type { INSPECTIONS } from '../lambdas/inspect/contract';
import type { Context } from './context';

type Question<Name extends InspectionName> = Omit<z.input<(typeof INSPECTIONS)[Name]['request']>, 'action'>;

/** Asks the inspect function; the answer is of the kind of the question. */
export async function inspect<Name extends InspectionName>(
  { invoke }: Pick<Context, 'invoke'>,
  action: Name,
  question: Question<Name>,
): Promise<InspectionReport<Name>> {
  const { INSPECTIONS: inspections } = await import('../lambdas/inspect/contract');
  const { request, report } = inspections[action];
  const answer = await invoke('inspect', { request, report, effect: 'reads' }, { action, ...question } as never);
  return answer as InspectionReport<Name>;
}
