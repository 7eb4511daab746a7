import type { InvokeCommandOutput } from '@aws-sdk/client-lambda';
import type * as z from 'zod';
import { functionName } from '../../core/contract';
import type { OperationContract } from '../../core/runtime/contract';
import { ERROR_CODES, errorCodeOf } from '../../core/runtime/error-codes';
import { CommandError, explain } from '../errors';
import type { Clients } from './clients';
import type { Target } from './target';

type RequestOf<Contract extends OperationContract> = z.input<Contract['request']>;
type ReportOf<Contract extends OperationContract> = z.output<Contract['report']>;

/** Invokes a function of the environment and waits for its report. */
export type Invoke = <Contract extends OperationContract>(
  stem: string,
  contract: Contract,
  request: RequestOf<Contract>,
) => Promise<ReportOf<Contract>>;

/** What Lambda answers when a function fails. */
interface FunctionFailure {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

/**
 * Invokes functions of a target.
 *
 * @returns throws CommandError with the exit of the function's error code, or what the exception of the SDK means
 */
export function createInvoke(target: Target, clients: Clients, signal: AbortSignal): Invoke {
  return async (stem, contract, request) => {
    const name = functionName(target.environment, stem);
    const answer = await send(target, clients, signal, name, request as object);
    const text = answer.Payload?.transformToString() ?? 'null';
    if (answer.FunctionError !== undefined) throw failureOf(stem, JSON.parse(text) as FunctionFailure);
    const report = contract.report.safeParse(JSON.parse(text));
    if (report.success) return report.data as ReportOf<typeof contract>;
    const fields = report.error.issues.map((issue) => issue.path.join('.') || 'report').slice(0, 3);
    throw new CommandError(
      'failed',
      `${name} did what was asked, but answers in the form of another version (${fields.join(', ')}): use the ops of the version that is deployed`,
      { cause: report.error },
    );
  };
}

async function send(
  target: Target,
  clients: Clients,
  signal: AbortSignal,
  name: string,
  request: object,
): Promise<InvokeCommandOutput> {
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  try {
    const lambda = await clients.lambda();
    const Payload = JSON.stringify(request);
    return await lambda.send(new InvokeCommand({ FunctionName: name, Payload }), { abortSignal: signal });
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ResourceNotFoundException') {
      if (target.platform !== undefined && name.endsWith('-move')) {
        const message = 'The local platform has no second server. Start it with one: npm start -- --second-server';
        throw new CommandError('refused', message, { cause });
      }
      const advice = name.endsWith('-confirmations')
        ? 'its settings have no `bitcoin`, or Operations was not deployed since'
        : name.endsWith('-move')
          ? 'its settings have no `databases.billing.move`, or Operations was not deployed since'
          : target.platform === undefined
            ? 'check AWS_PROFILE, AWS_REGION and --env, or deploy Operations'
            : 'it is of another version of the platform: stop it and start it again';
      throw new CommandError('failed', `${target.label} has no function ${name}: ${advice}`, { cause });
    }
    throw explain(cause, `invoke ${name}`, target.label);
  }
}

function failureOf(stem: string, { errorType = '', errorMessage = 'no message' }: FunctionFailure): CommandError {
  const code = errorCodeOf(errorType);
  if (code === undefined) {
    const timedOut = errorType === 'Sandbox.Timedout' || errorMessage.includes('Task timed out');
    const hint = timedOut ? 'It ran out of time; what it did so far stays done' : 'An error that it does not know';
    return new CommandError(
      'failed',
      `${stem}: ${errorMessage} (${errorType || 'no type'}). ${hint}: ops logs ${stem}`,
    );
  }
  const { exit, runbook } = ERROR_CODES[code];
  const link = runbook === undefined ? '' : ` See docs/runbook.md#${runbook}`;
  const message = `${stem}: ${errorMessage}${/[.!?]$/.test(errorMessage) ? '' : '.'} (${code})${link}`;
  return new CommandError(exit === 'finding' ? 'failed' : exit, message);
}
