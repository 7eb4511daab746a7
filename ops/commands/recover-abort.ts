import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { explainRecovery, newestRecovery } from '../recovery';
import { database, optional, required, text } from '../values';

export const recoverAbort = defineCommand({
  name: 'recover abort',
  summary: 'Stops a recovery where it is; what it restored so far is kept until it is deleted',
  details:
    'While it waits for the confirmation of the cut-over, "ops recover refuse" ends it in order. After the confirmation an abort may leave the functions of the database stopped: the state says how far it is.',
  effect: 'changes',
  changes: 'stops the workflow. An instance that RDS is restoring becomes available all the same, and costs.',
  json: '`{database, executionArn, state}`',
  arguments: { database: required(database, 'Database whose recovery is stopped') },
  options: { confirm: optional(text('database'), 'The name of the database, typed again') },
  examples: [{ line: 'recover abort billing --confirm billing', explains: 'Stop a recovery of the wrong moment.' }],
  async run(context, { database: name, confirm }) {
    const { arn, status, state } = await newestRecovery(context, name);
    if (status !== 'RUNNING') {
      throw new CommandError('refused', `No recovery of ${name} runs: the newest one ${status.toLowerCase()}`);
    }
    await context.confirm(name, confirm, `The recovery of ${name} would be stopped at "${state ?? 'its start'}".`);
    const { StopExecutionCommand } = await import('@aws-sdk/client-sfn');
    try {
      const sfn = await context.clients.stepFunctions();
      const cause = 'Aborted by an operator: see ops audit';
      await sfn.send(new StopExecutionCommand({ executionArn: arn, error: 'Aborted', cause }));
    } catch (cause) {
      throw explainRecovery(cause, context, name);
    }
    return {
      report: { database: name, executionArn: arn, state },
      lines: [
        `The recovery is stopped at "${state ?? 'its start'}"; docs/runbook.md#instance-recovery-leftovers says what is left`,
      ],
    };
  },
});
