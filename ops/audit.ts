import type { Clients } from './aws/clients';
import type { Invoke } from './aws/invoke';
import type { Target } from './aws/target';
import type { CommandResult } from './command';
import { CommandError, explain } from './errors';
import { withoutSecrets } from './without-secrets';

export interface AuditOptions {
  readonly target: Target;
  readonly clients: Clients;
  readonly invoke: Invoke;
  /** The command line. Secrets are never arguments; one that was pasted all the same is left out of the record. */
  readonly commandLine: string;
  /** Messages may name the person, and are left out. */
  readonly isAboutAPerson: boolean;
  readonly note: (line: string) => void;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** As long as the contract of the audit function allows. */
const MAX_TEXT = 2000;

/**
 * Runs an action between two audit records: who begins what, and how it ended, also when it failed. An action whose
 * beginning cannot be recorded is refused.
 *
 * @param invoke one that Ctrl-C does not abort, so that the end of an interrupted action is recorded as well
 */
export async function audited(options: AuditOptions, run: () => Promise<CommandResult>): Promise<CommandResult> {
  const { contract } = await import('../lambdas/audit/contract');
  const id = await begin(options, contract);
  const finish = async (result: string, message?: string): Promise<void> => {
    const request = {
      action: 'finish' as const,
      id,
      result: result as 'done',
      message: message && withoutSecrets(message).slice(0, MAX_TEXT),
    };
    await options.invoke('audit', contract, request).catch((error: Error) => {
      options.note(`The end of this action was not recorded in the audit log: ${error.message}`);
    });
  };
  try {
    const result = await run();
    await finish(result.exit ?? 'done');
    return result;
  } catch (error) {
    const failure = explain(error, options.commandLine, options.target.label);
    await (options.signal.aborted
      ? finish('interrupted')
      : finish(failure.exit, options.isAboutAPerson ? undefined : failure.message));
    throw error;
  }
}

async function begin(
  { target, clients, invoke, commandLine }: AuditOptions,
  contract: typeof import('../lambdas/audit/contract').contract,
): Promise<string> {
  try {
    const who = await callerArn(clients, target);
    const command = withoutSecrets(commandLine).slice(0, MAX_TEXT);
    const answer = await invoke('audit', contract, { action: 'begin', who, command });
    if (answer.action !== 'begin') throw new Error('the audit function answered another request');
    return answer.id;
  } catch (cause) {
    const { message } = explain(cause, 'record the action', target.label);
    throw new CommandError(
      'failed',
      `Nothing was done, because it cannot be recorded in the audit log: ${message}. In an emergency, add --without-audit`,
      { cause },
    );
  }
}

/** The same without the part that every ARN begins with, for a record of who did something. */
export async function callerName(clients: Clients, target: Target): Promise<string> {
  return (await callerArn(clients, target)).split(':').slice(4).join(':');
}

/** ARN of the identity that the credentials belong to. */
export async function callerArn(clients: Clients, target: Target): Promise<string> {
  const { GetCallerIdentityCommand } = await import('@aws-sdk/client-sts');
  try {
    const { Arn } = await (await clients.sts()).send(new GetCallerIdentityCommand({}));
    return Arn ?? 'unknown';
  } catch (cause) {
    throw explain(cause, 'ask STS for the identity', target.label);
  }
}
