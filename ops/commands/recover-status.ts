import { defineCommand } from '../command';
import { fields } from '../print/table';
import { moment } from '../print/units';
import { newestRecovery, type Recovery } from '../recovery';
import { database, required } from '../values';

export const recoverStatus = defineCommand({
  name: 'recover status',
  summary: 'Shows how far the newest recovery of an instance is, and what it asks',
  effect: 'reads',
  changes: 'nothing.',
  json: '`{arn, status, startedAt, stoppedAt, input, state, cause, question}`, without the token of the question',
  finding: 'the recovery waits for an answer, or did not succeed',
  arguments: { database: required(database, 'Database whose recovery is shown') },
  options: {},
  examples: [{ line: 'recover status billing', explains: 'Is the new instance proven yet?' }],
  async run(context, { database: name }) {
    const recovery = await newestRecovery(context, name);
    const { question, cause } = recovery;
    const at = context.now();
    return {
      report: { ...recovery, question: question && { state: question.state, detail: detailOf(question) } },
      lines: [
        ...fields(
          [
            ['recovery', recovery.status],
            ['state', recovery.state],
            ['started', moment(recovery.startedAt, at)],
            ['ended', moment(recovery.stoppedAt, at)],
            ['input', recovery.input],
          ],
          context.style,
        ),
        ...(cause === null ? [] : ['', ...cause.split('\n').map((line) => context.style.red(line))]),
        ...(question === null ? [] : ['', ...answersTo(name, question)]),
      ],
      exit: question === null && ['RUNNING', 'SUCCEEDED'].includes(recovery.status) ? 'done' : 'finding',
    };
  },
});

type Question = NonNullable<Recovery['question']>;

/** What the question tells; the token is for answers only. */
function detailOf({ detail }: Question): object {
  return Object.fromEntries(Object.entries(detail).filter(([key]) => key !== 'taskToken'));
}

function answersTo(databaseName: string, { confirmWith, detail }: Question): string[] {
  const { recoveredInstance, minutesToTraffic, note } = detail;
  const what = confirmWith === undefined ? 'waits to take the name, which pauses traffic' : 'is proven, and waits';
  return [
    `${String(recoveredInstance)} ${what}. ${typeof note === 'string' ? note : ''}`.trim(),
    ...(confirmWith === undefined
      ? [`At a moment that suits: ops recover take-name ${databaseName}`]
      : [
          `From the start to traffic, if confirmed now: ${String(minutesToTraffic)} minutes`,
          `To cut over: ops recover cut-over ${databaseName} --confirm ${confirmWith}`,
          `To refuse: ops recover refuse ${databaseName}`,
        ]),
  ];
}
