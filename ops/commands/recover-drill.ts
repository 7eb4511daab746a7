import { defineCommand } from '../command';
import { fields } from '../print/table';
import { explainRecovery, workflowArn } from '../recovery';
import { workflowRunId } from '../runs';
import { database, required } from '../values';

export const recoverDrill = defineCommand({
  name: 'recover drill',
  summary: 'Rehearses the recovery of a whole instance, and times it',
  details:
    'It restores the latest moment beside the instance in use, in the same class, verifies it, compares the time with the target and removes it: never a cut-over. A schedule does the same every quarter. "ops drill" tests an archive instead.',
  effect: 'adds',
  changes: 'makes an RDS instance, which costs as much as the one in use until it is removed, within hours.',
  json: '`{executionArn, run}`',
  arguments: { database: required(database, 'Database whose instance is rehearsed') },
  options: {},
  examples: [{ line: 'recover drill billing', explains: 'Prove now that the instance can be recovered in time.' }],
  async run(context, { database: name }) {
    const { StartExecutionCommand } = await import('@aws-sdk/client-sfn');
    const stateMachineArn = await workflowArn(context, name, 'instance-drill');
    try {
      const sfn = await context.clients.stepFunctions();
      const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }));
      const run = workflowRunId('instance-drill', name, executionArn);
      return {
        report: { executionArn, run },
        lines: [
          ...fields([['execution', executionArn]], context.style),
          `Its result goes to the warning topic. To follow it: ops runs --follow ${run}`,
        ],
      };
    } catch (cause) {
      throw explainRecovery(cause, context, name);
    }
  },
});
