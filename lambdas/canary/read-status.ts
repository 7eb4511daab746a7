import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import type { ReadStatus } from './core';

/** What is read of the answer of `inspect`. */
const answer = z.object({ event: z.object({ status: z.string() }).nullable() });

/** Asks the function `inspect` for the row of an event. */
export function statusByInspect(lambda: LambdaClient, functionName: string): ReadStatus {
  return async (id) => {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify({ action: 'event', id }) }),
    );
    const text = Payload?.transformToString() ?? '';
    if (FunctionError !== undefined) {
      throw new Error(`${functionName} answered ${text.slice(0, 200)}`);
    }
    return answer.parse(JSON.parse(text)).event?.status;
  };
}
