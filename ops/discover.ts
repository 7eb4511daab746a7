import { functionName, type BaseEnvironment } from '../core/contract';
import type { Context } from './context';
import { CommandError, explain } from './errors';

/** What a function's configuration tells about the environment. */
export interface FunctionConfiguration<Environment> {
  readonly arn: string;
  readonly logGroup: string;
  /** Its environment variables, by the names of its contract. */
  readonly variables: { readonly [Name in keyof Environment]?: string };
}

/**
 * Looks up how a function is deployed: its variables name the secrets, queues and buckets of the environment.
 *
 * @param isTyped the name is what the operator typed, and may be misspelt
 */
export async function configurationOf<Environment extends BaseEnvironment = BaseEnvironment>(
  { clients, target, signal }: Pick<Context, 'clients' | 'target' | 'signal'>,
  stem: string,
  { isTyped = false } = {},
): Promise<FunctionConfiguration<Environment>> {
  const { GetFunctionConfigurationCommand } = await import('@aws-sdk/client-lambda');
  const name = functionName(target.environment, stem);
  try {
    const lambda = await clients.lambda();
    const command = new GetFunctionConfigurationCommand({ FunctionName: name });
    const {
      FunctionArn: arn = '',
      LoggingConfig,
      Environment: deployed,
    } = await lambda.send(command, { abortSignal: signal });
    return {
      arn,
      logGroup: LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
      variables: deployed?.Variables ?? {},
    };
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ResourceNotFoundException') {
      const check = isTyped ? `the name (${stem}), AWS_PROFILE and --env` : 'AWS_PROFILE and --env';
      const reason = `${target.label} has no function ${name}: check ${check}`;
      throw new CommandError(isTyped ? 'refused' : 'failed', reason, { cause });
    }
    throw explain(cause, `read the configuration of ${name}`, target.label);
  }
}

/** A variable of a function, by the type of its environment. @throws CommandError when the function has no such variable */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- callers name the environment that has the variable
export async function variableOf<Environment extends BaseEnvironment>(
  context: Pick<Context, 'clients' | 'target' | 'signal'>,
  stem: string,
  variable: keyof Environment & string,
): Promise<string> {
  const value: string | undefined = (await configurationOf<Environment>(context, stem)).variables[variable];
  if (value !== undefined && value !== '') return value;
  throw new CommandError(
    'failed',
    `${functionName(context.target.environment, stem)} has no ${variable}: deploy it again`,
  );
}
