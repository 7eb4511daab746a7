import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { answer, openQuestion } from '../recovery-answer';
import { database, optional, required, text } from '../values';

export const recoverTakeName = defineCommand({
  name: 'recover take-name',
  summary: 'Lets a recovered instance that serves already take the name of the former one, now',
  details: 'Without this, it does so after a day by itself.',
  effect: 'changes',
  changes: 'the identifier of the instance; traffic pauses for some twelve minutes, and events wait in their queue.',
  json: '`{database, recoveredInstance}`',
  arguments: { database: required(database, 'Database whose recovery waits') },
  options: { confirm: optional(text('database'), 'The name of the database, typed again') },
  examples: [{ line: 'recover take-name billing --confirm billing', explains: 'Take the name at this quiet moment.' }],
  async run(context, { database: name, confirm }) {
    const question = await openQuestion(context, name);
    if (question.confirmWith !== undefined) {
      throw new CommandError('refused', `The cut-over is not confirmed yet: ops recover cut-over ${name}`);
    }
    const recovered = String(question.detail.recoveredInstance);
    await context.confirm(name, confirm, `Traffic to ${name} would pause for some twelve minutes.`);
    await answer(context, question, {});
    return {
      report: { database: name, recoveredInstance: recovered },
      lines: [`${recovered} takes the name: ops recover status ${name}`],
    };
  },
});
