import { setTimeout as sleep } from 'node:timers/promises';
import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { table } from '../print/table';
import { moment } from '../print/units';
import { findRun, listRuns, type Run } from '../runs';
import { flag, optional, text, wholeNumber } from '../values';

const POLL_MS = 2_000;
/** Characters of a detail in the list; --follow and --json have all of it. */
const SHOWN = 120;

export const runs = defineCommand({
  name: 'runs',
  summary:
    'Lists work that takes long: backups, drills, reconciliations, recoveries of instances and rows; follows one to its end',
  details: 'Leave with Ctrl-C at any time: that stops the following, never the run, and --follow picks it up again.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{id, kind, state, startedAt, detail}`; with --follow, the one that was followed',
  finding: 'a run failed or waits for an answer; of those that are listed, or of the one that was followed',
  arguments: {},
  options: {
    follow: optional(text('run'), 'Id of a run, as the list has it: wait for its end'),
    running: flag('Only those that run or wait'),
    limit: optional(wholeNumber('count', 1, 500), 'Runs to list at most. Default: 20'),
  },
  examples: [
    { line: 'runs --running', explains: 'What is under way?' },
    { line: 'runs --follow reconciliation:12', explains: 'Pick up a run that was left.' },
  ],
  async run(context, { follow, running, limit }) {
    assertAtMostOne({ '--follow': follow !== undefined, '--running': running });
    assertAtMostOne({ '--follow': follow !== undefined, '--limit': limit !== undefined });
    if (follow !== undefined) {
      const ended = await followRun(context, follow);
      const isGood = ended.state === 'done';
      const line = `${ended.id}: ${ended.state}, ${ended.detail}`;
      return { report: ended, lines: [line], exit: isGood ? 'done' : 'finding' };
    }
    const all = (await listRuns(context)).filter(({ state }) => !running || ['running', 'waits'].includes(state));
    const report = all.slice(0, limit ?? 20);
    const rows = report.map(({ id, state, startedAt, detail }) => [
      id,
      state,
      moment(startedAt, context.now()),
      detail.length > SHOWN ? `${detail.slice(0, SHOWN)}…` : detail,
    ]);
    const isGood = report.every(({ state }) => state === 'done' || state === 'running');
    return {
      report,
      lines: rows.length === 0 ? ['Nothing runs'] : table(['run', 'state', 'started', 'detail'], rows, context.style),
      exit: isGood ? 'done' : 'finding',
    };
  },
});

/** Notes each change of a run until it runs no longer. */
async function followRun(context: Context, id: string): Promise<Run> {
  let shown = '';
  for (;;) {
    const run = await findRun(context, id);
    if (run.state !== 'running') return run;
    if (run.detail !== shown) context.note(`${id}: ${run.detail}`);
    shown = run.detail;
    await sleep(POLL_MS, undefined, { signal: context.signal });
  }
}
