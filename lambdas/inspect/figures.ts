import type { ClientBase } from 'pg';
import { rangeOf, revenueFigures, subscriptionFigures } from '../../core/entitlements/figures';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { InspectionReport, InspectionRequest } from './contract';

/**
 * What a project took in and how many subscriptions it has, by the statements that answer the HTTP API.
 *
 * @throws InvalidRequestError when the range is empty or longer than a year
 */
export async function readFigures(
  client: ClientBase,
  { projectId, ...asked }: InspectionRequest<'figures'>,
  now: Date,
): Promise<InspectionReport<'figures'>> {
  const range = rangeOf(asked, now);
  if ('problemOfFrom' in range) throw new InvalidRequestError(`from: ${range.problemOfFrom}`);
  return {
    action: 'figures',
    projectId,
    from: range.from.toISOString(),
    to: range.to.toISOString(),
    subscriptions: await subscriptionFigures(client, projectId, range),
    currencies: await revenueFigures(client, projectId, range),
  };
}
