import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps, type Outcome, type RunOptions } from './run-ops';

/** What `ops` asks in {@link runAnswered}. */
export const askedLambda = mockClient(LambdaClient);

/** Runs `ops` where every function gives the same answer, for what is printed of it. */
export async function runAnswered(argv: readonly string[], answer: object, options?: RunOptions): Promise<Outcome> {
  askedLambda.reset();
  askedLambda
    .on(GetFunctionConfigurationCommand)
    .resolves({ FunctionArn: 'arn:aws:lambda:eu-central-1:1:function:BillingOps-dev-x' });
  askedLambda
    .on(InvokeCommand)
    .resolves({ StatusCode: 200, Payload: { transformToString: () => JSON.stringify(answer) } as never });
  return runOps(argv, options);
}
