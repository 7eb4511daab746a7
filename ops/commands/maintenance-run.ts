import type { MaintenanceTask, TaskRecord } from '../../lambdas/maintenance/contract';
import { defineCommand } from '../command';
import { NotOnLocalPlatform } from '../errors';
import { taskLines } from '../print/maintenance';
import { anyNumber, database, flag, oneOf, required } from '../values';

const TASKS = [
  'sizes',
  'vacuum',
  'indexes',
  'reindex',
  'cards',
  'logs',
  'residency',
] as const satisfies readonly MaintenanceTask[];

export const maintenanceRun = defineCommand({
  name: 'maintenance run',
  summary: 'Vacuums a database where it needs it, records sizes and bloat, and checks its indexes',
  details:
    'The schedules do so weekly, and check the indexes monthly. `reindex` rebuilds bloated indexes beside those in use, and runs only when it is named, as do `cards` and `logs`, see `ops cards scan`, and `residency`, which looks up in which regions data is, as `ops doctor` does.',
  effect: 'changes',
  changes:
    'vacuums tables, with `--task reindex` rebuilds indexes, and adds a record of each task; with --dry-run, nothing.',
  json: 'the report `run` of `lambdas/maintenance/contract.ts`',
  finding: 'a task left something out, or found an invalid index, a card number or data outside the allowed regions',
  arguments: { database: required(database, 'Database that is maintained') },
  options: {
    task: anyNumber(oneOf('task', TASKS), 'Only this task; may be repeated. Default: sizes, vacuum and indexes'),
    dryRun: flag('Say what would be vacuumed or rebuilt, and change nothing'),
  },
  examples: [
    { line: 'maintenance run billing --dry-run', explains: 'What needs a vacuum, and which indexes are of no use?' },
    { line: 'maintenance run billing --task reindex', explains: 'Rebuild what is bloated; nobody waits meanwhile.' },
  ],
  async run({ invoke, style, now, target }, { database: name, task, dryRun }) {
    if (target.platform !== undefined && task.includes('residency')) throw new NotOnLocalPlatform('regions');
    const { contract, runReport } = await import('../../lambdas/maintenance/contract');
    const { residencyFindings } = await import('../../core/residency/contract');
    const isSound = (record: TaskRecord): boolean => {
      switch (record.task) {
        case 'indexes':
          return record.result?.invalid.length === 0;
        case 'cards':
        case 'logs':
          return record.result?.found === 0;
        case 'residency':
          return record.result !== null && residencyFindings(record.result).length === 0;
        default:
          return true;
      }
    };
    const tasks = task.length > 0 ? { tasks: [...task] } : {};
    const report = await invoke(
      'maintenance',
      { ...contract, report: runReport },
      { action: 'run', database: name, ...tasks, dryRun },
    );
    return {
      report,
      lines: [...(dryRun ? ['Nothing was changed. It would be:'] : []), ...taskLines(report.tasks, style, now())],
      exit: report.tasks.every((record) => record.outcome === 'done' && isSound(record)) ? 'done' : 'finding',
    };
  },
});
