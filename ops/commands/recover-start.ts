import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import { fields } from '../print/table';
import { explainRecovery, workflowArn } from '../recovery';
import { database, optional, required, text, time } from '../values';

export const recoverStart = defineCommand({
  name: 'recover start',
  summary: 'Starts the recovery of a whole instance, beside the one in use',
  details:
    'It restores, warms and proves a new instance, then asks: nothing in use is touched before "ops recover cut-over". Without a time or a snapshot it restores the latest moment, also of an instance that was deleted.',
  effect: 'adds',
  changes: 'makes an RDS instance, which costs as much as the one in use until it replaces it or is deleted.',
  json: '`{executionArn, startedAt, input}`',
  arguments: { database: required(database, 'Database whose instance is recovered') },
  options: {
    to: optional(time(), 'Moment to restore, to the second; such as a second before a corruption'),
    snapshot: optional(text('arn'), 'ARN of a snapshot or recovery point, when RDS has no backups of the instance'),
    recovered: optional(text('instance'), 'Instance that an earlier recovery restored, to continue with'),
  },
  examples: [
    { line: 'recover start billing', explains: 'Recover the latest moment.' },
    { line: 'recover start billing --to 2026-11-21T06:00:07Z', explains: 'Recover the moment before a corruption.' },
  ],
  async run(context, { database: name, to, snapshot, recovered }) {
    assertAtMostOne({
      '--to': to !== undefined,
      '--snapshot': snapshot !== undefined,
      '--recovered': recovered !== undefined,
    });
    const { StartExecutionCommand } = await import('@aws-sdk/client-sfn');
    const input = JSON.stringify({ restoreTime: to, snapshotArn: snapshot, recoveredInstance: recovered });
    const stateMachineArn = await workflowArn(context, name);
    try {
      const sfn = await context.clients.stepFunctions();
      const { executionArn, startDate } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input }));
      return {
        report: { executionArn, startedAt: startDate?.toISOString(), input: JSON.parse(input) as object },
        lines: [
          ...fields([['execution', executionArn]], context.style),
          `It asks on the critical topic once the new instance is proven. Until then: ops recover status ${name}`,
        ],
      };
    } catch (cause) {
      throw explainRecovery(cause, context, name);
    }
  },
});
