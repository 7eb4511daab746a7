import { InvokeCommand, TooManyRequestsException, type LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { errorCodeOf } from '../../core/runtime/error-codes';
import { OperationError } from '../../core/runtime/errors';
import type { ApiDependencies, AskedFunction } from './dependencies';
import { Problem } from './problem';

const failure = z.object({ errorType: z.string().default(''), errorMessage: z.string().optional() });

/**
 * Asks functions by Lambda's Invoke.
 *
 * @param names complete name of each function
 */
export function askFunctions(
  lambda: LambdaClient,
  names: Readonly<Record<AskedFunction, string>>,
): ApiDependencies['ask'] {
  return async (stem, request, abortSignal) => {
    let answer;
    try {
      const command = new InvokeCommand({ FunctionName: names[stem], Payload: JSON.stringify(request) });
      answer = await lambda.send(command, abortSignal && { abortSignal });
    } catch (error) {
      if (error instanceof TooManyRequestsException) {
        throw new Problem(503, 'busy', 'The function that does this is at work for others; try again', {
          headers: { 'retry-after': '5' },
        });
      }
      throw error;
    }
    const report: unknown = JSON.parse(answer.Payload?.transformToString() ?? 'null');
    if (answer.FunctionError === undefined) return report;
    const { errorType, errorMessage = `${names[stem]} failed` } = failure.parse(report);
    throw new OperationError(errorCodeOf(errorType) ?? 'unexpected', errorMessage);
  };
}
