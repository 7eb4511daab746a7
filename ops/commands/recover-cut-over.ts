import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { answer, openQuestion } from '../recovery-answer';
import { database, optional, required, text } from '../values';

export const recoverCutOver = defineCommand({
  name: 'recover cut-over',
  summary: 'Confirms that a recovered instance replaces the one in use',
  details: 'The former instance is set aside and kept.',
  effect: 'changes',
  changes: 'the instance behind the database. Data after the restored moment stays in the former one.',
  json: '`{database, recoveredInstance, replaced}`',
  arguments: { database: required(database, 'Database whose recovery is confirmed') },
  options: { confirm: optional(text('instance'), 'The identifier of the instance in use, typed again') },
  examples: [
    {
      line: 'recover cut-over billing --confirm billing-operations-production-billing',
      explains: 'Let the recovered instance replace the one in use.',
    },
  ],
  async run(context, { database: name, confirm }) {
    const question = await openQuestion(context, name);
    const { confirmWith, detail } = question;
    if (confirmWith === undefined) {
      throw new CommandError(
        'refused',
        `The cut-over is confirmed already; it waits to take the name: ops recover take-name ${name}`,
      );
    }
    const recovered = String(detail.recoveredInstance);
    await context.confirm(confirmWith, confirm, `${recovered} would replace ${confirmWith}, which is kept.`);
    await answer(context, question, { confirm: confirmWith });
    return {
      report: { database: name, recoveredInstance: recovered, replaced: confirmWith },
      lines: [`${recovered} replaces ${confirmWith}: ops recover status ${name}`],
    };
  },
});
