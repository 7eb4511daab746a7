import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { span } from '../print/units';
import { database, required } from '../values';

export const connections = defineCommand({
  name: 'connections',
  summary: 'Lists the sessions of a database, and those that wait for a lock',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `sessions` of `lambdas/inspect/contract.ts`',
  finding: 'a session waits for another',
  arguments: { database: required(database, 'Database whose sessions are listed') },
  options: {},
  examples: [{ line: 'connections billing', explains: 'Who uses up the connections, and what blocks what?' }],
  async run(context, { database: name }) {
    const report = await inspect(context, 'sessions', { database: name });
    const { style } = context;
    const age = (seconds: number | null): string => (seconds === null ? '–' : span(seconds));
    const groups = report.groups.map(({ user, application, state, sessions, longestSeconds }) => [
      user,
      application,
      state ?? 'not visible',
      sessions,
      age(longestSeconds),
    ]);
    const waiting = report.waiting.map(({ pid, application, blockedBy, seconds }) =>
      style.red(`${application} (${pid}) has waited ${age(seconds)} for ${blockedBy.join(', ')}`),
    );
    return {
      report,
      lines: [
        `${report.usedPercent.toFixed(0)} % of the connections of ${name} are in use`,
        ...table(['user', 'application', 'state', 'sessions', 'longest'], groups, style),
        ...waiting,
      ],
      exit: waiting.length > 0 ? 'finding' : 'done',
    };
  },
});
