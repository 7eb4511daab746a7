import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { duration, moment, span } from '../print/units';
import { database, optional, required, wholeNumber } from '../values';

/** Age from which a transaction is too old: that of the alarm. */
const LONG_TRANSACTION_SECONDS = 3600;
/** Characters of a statement in a table. */
const SHOWN = 90;

export const queries = defineCommand({
  name: 'queries',
  summary: 'Lists the statements of a database that took most time, run now, wait, or block others',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `queries` of `lambdas/inspect/contract.ts`',
  finding: 'a statement waits for another session, or a transaction has been open for more than an hour',
  arguments: { database: required(database, 'Database whose statements are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Statements to list at most. Default: 20') },
  examples: [{ line: 'queries billing --limit 5', explains: 'Why is the database slow, and who blocks whom?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'queries', { database: name, limit });
    const { style, now } = context;
    const { slowest, since, running } = report;
    const short = (text: string): string => {
      const line = text.replaceAll(/\s+/g, ' ').trim();
      return line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line;
    };
    const blocking = new Set(running.flatMap(({ blockedBy }) => blockedBy));
    const waiting = running.filter(({ blockedBy }) => blockedBy.length > 0);
    const long = running.filter(({ transactionSeconds: seconds }) => (seconds ?? 0) > LONG_TRANSACTION_SECONDS);
    return {
      report,
      lines: [
        ...(slowest === null
          ? ['The server does not count statements: load pg_stat_statements, and create its extension']
          : [
              style.bold(`Most time since ${moment(since, now())}`),
              ...table(
                ['total', 'mean', 'calls', 'rows', 'cache', 'statement'],
                slowest.map(({ totalMs, meanMs, calls, rows, cacheHitPercent, statement }) => [
                  duration(totalMs),
                  meanMs < 1 ? `${meanMs.toFixed(2)} ms` : duration(meanMs),
                  calls,
                  rows,
                  cacheHitPercent === null ? '–' : `${cacheHitPercent.toFixed(0)} %`,
                  short(statement),
                ]),
                style,
              ),
            ]),
        '',
        style.bold('Now'),
        ...(running.length === 0
          ? ['No statement runs, and no transaction is open']
          : table(
              ['process', 'user', 'application', 'state', 'for', 'transaction', 'waits for', 'blocks', 'statement'],
              running.map((each) => [
                String(each.pid),
                each.user,
                each.application,
                each.state,
                span(each.seconds),
                each.transactionSeconds === null ? '–' : span(each.transactionSeconds),
                each.blockedBy.length > 0 ? `process ${each.blockedBy.join(', ')}` : (each.waitsFor ?? '–'),
                blocking.has(each.pid) ? 'yes' : '',
                short(each.statement),
              ]),
              style,
            )),
        ...waiting.map(({ pid, blockedBy }) =>
          style.red(
            `Process ${pid} waits for ${blockedBy.join(', ')}. To end that session: SELECT pg_terminate_backend(${blockedBy[0]})`,
          ),
        ),
        ...long.map(({ pid, transactionSeconds }) =>
          style.red(
            `The transaction of process ${pid} has been open for ${span(transactionSeconds ?? 0)}. To end that session: SELECT pg_terminate_backend(${pid})`,
          ),
        ),
      ],
      exit: waiting.length + long.length > 0 ? 'finding' : 'done',
    };
  },
});
