import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { answer } from '../recovery-answer';
import { listRecoveries, type Question } from '../recovery';
import { database, optional, required, text } from '../values';

export const rowsDone = defineCommand({
  name: 'rows done',
  summary: 'Ends the comparison of rows with those of a moment, and removes its instance',
  details: 'Reports that were made are kept for 30 days, and can be merged from without the instance.',
  effect: 'changes',
  changes: 'removes the temporary instance of "ops rows report --at". No row.',
  json: '`{database, instance, reportId}`',
  arguments: { database: required(database, 'Database whose rows were compared') },
  options: {
    instance: optional(text('instance'), 'Temporary instance of the comparison, where several wait'),
  },
  examples: [{ line: 'rows done billing', explains: 'The rows are back: remove the instance.' }],
  async run(context, { database: name, instance: wanted }) {
    const runs = await listRecoveries(context, name, 'rows');
    const asking = runs.flatMap(({ question }) => question ?? []);
    const instanceOf = ({ detail }: Question): string => String(detail.instance);
    const candidates = asking.filter((question) => wanted === undefined || instanceOf(question) === wanted);
    if (candidates.length > 1 || (candidates.length === 0 && asking.length > 0)) {
      const names = asking.map(instanceOf).join(', ');
      throw new CommandError('refused', `Say with --instance which comparison is done. Waiting: ${names}`);
    }
    const [question] = candidates;
    if (question === undefined) {
      const running = runs.find(({ status }) => status === 'RUNNING');
      const where = running === undefined ? 'none runs' : `one is at "${running.state ?? 'its start'}"`;
      throw new CommandError('refused', `No comparison of rows of ${name} waits for an answer: ${where}`);
    }
    const { instance, reportId } = question.detail;
    await answer(context, question, { done: true });
    return {
      report: { database: name, instance, reportId },
      lines: [`${String(instance)} is removed; report ${String(reportId)} is kept for 30 days`],
    };
  },
});
