import { defineCommand } from '../command';
import { openQuestion, refuse } from '../recovery-answer';
import { database, required } from '../values';

export const recoverRefuse = defineCommand({
  name: 'recover refuse',
  summary: 'Ends a recovery without a cut-over; the instance in use stays as it is',
  effect: 'changes',
  changes: 'ends the workflow. The recovered instance is kept until it is deleted.',
  json: '`{database, recoveredInstance}`',
  arguments: { database: required(database, 'Database whose recovery is refused') },
  options: {},
  examples: [{ line: 'recover refuse billing', explains: 'Keep the instance in use.' }],
  async run(context, { database: name }) {
    const question = await openQuestion(context, name);
    await refuse(context, question);
    const recovered = String(question.detail.recoveredInstance);
    return {
      report: { database: name, recoveredInstance: recovered },
      lines: [`The recovery ends; ${recovered} still exists and costs until it is deleted`],
    };
  },
});
