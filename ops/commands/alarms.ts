import { defineCommand } from '../command';
import { table } from '../print/table';
import { moment } from '../print/units';
import { listAlarms } from '../list-alarms';
import { flag } from '../values';

export const alarms = defineCommand({
  name: 'alarms',
  summary: 'Lists the alarms that are raised, each with what to do',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{name, state, isSilent, since, reason, text}`; a silent alarm is raised without a notification, for the reason given',
  finding: 'an alarm is raised',
  arguments: {},
  options: { all: flag('List also the alarms that are not raised') },
  examples: [{ line: 'alarms', explains: 'What is wrong right now?' }],
  async run({ clients, target, style, now }, { all }) {
    const report = await listAlarms(clients, target, all);
    const rows = report.map(({ name, state, isSilent, since, text }) => [
      name,
      state === 'ALARM' ? style.red(isSilent ? 'ALARM, silent' : state) : state,
      moment(since, now()),
      text.split('\n')[0] ?? '',
    ]);
    return {
      report,
      lines:
        rows.length === 0
          ? [style.green('No alarm is raised')]
          : table(['alarm', 'state', 'since', 'text'], rows, style),
      exit: report.some(({ state }) => state === 'ALARM') ? 'finding' : 'done',
    };
  },
});
