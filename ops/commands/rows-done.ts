import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { answer } from '../recovery-answer';
import { listRecoveries } from '../recovery';
import { database, required } from '../values';

export const rowsDone = defineCommand({
  name: 'rows done',
  summary: 'Ends the comparison of rows with those of a moment, and removes its instance',
  details: 'Reports that were made are kept for 30 days, and can be merged from without the instance.',
  effect: 'changes',
  changes: 'removes the temporary instance of "ops rows report --at". No row.',
  json: '`{database, instance, reportId}`',
  arguments: { database: required(database, 'Database whose rows were compared') },
  options: {},
  examples: [{ line: 'rows done billing', explains: 'The rows are back: remove the instance.' }],
  async run(context, { database: name }) {
    const runs = await listRecoveries(context, name, 'rows');
    const waiting = runs.find(({ question }) => question !== null);
    if (!waiting?.question) {
      const running = runs.find(({ status }) => status === 'RUNNING');
      const where = running === undefined ? 'none runs' : `one is at "${running.state ?? 'its start'}"`;
      throw new CommandError('refused', `No comparison of rows of ${name} waits for an answer: ${where}`);
    }
    const { instance, reportId } = waiting.question.detail;
    await answer(context, waiting.question, { done: true });
    return {
      report: { database: name, instance, reportId },
      lines: [`${String(instance)} is removed; report ${String(reportId)} is kept for 30 days`],
    };
  },
});
