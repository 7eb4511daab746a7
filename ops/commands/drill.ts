import { drillOutcome } from '../../core/restore/contract';
import { defineCommand } from '../command';
import { fields } from '../print/table';
import { bytes, duration } from '../print/units';
import { database, required } from '../values';

const took = (ms: number | null): string => (ms === null ? '–' : duration(ms));

export const drill = defineCommand({
  name: 'drill',
  summary: 'Restores the newest archive into a scratch database, verifies and times it, and drops it',
  details:
    'An archive that is too large for one call is drilled by a workflow, which "ops runs" follows; it takes room on the disk of the instance in use, and records the drill at its end.',
  effect: 'adds',
  changes: 'adds a record of the drill to the bucket and to the database.',
  json: 'the report of `lambdas/drill/contract.ts`',
  finding:
    'the restore took longer than the target, or would at the size of the database in use; or there are findings, as of `ops restore`',
  arguments: { database: required(database, 'Database whose archive is tested') },
  options: {},
  examples: [{ line: 'drill billing', explains: 'Prove now that billing can be restored in time.' }],
  async run({ invoke, style }, { database: name }) {
    const { contract, findingsOf } = await import('../../lambdas/drill/contract');
    const report = await invoke('drill', contract, { database: name });
    if (report.outcome === 'started') {
      const lines: (readonly [string, string])[] = [
        ['outcome', 'started: a workflow restores the archive in parts, and records the drill at its end'],
        ['archive', report.slot ?? '–'],
        ['target', took(report.targetMs)],
        ['follow', `ops runs --follow restore:${name}:${report.execution?.split(':').at(-1)}`],
      ];
      return { report, lines: fields(lines, style), exit: 'done' };
    }
    const findings = findingsOf(report);
    return {
      report,
      lines: fields(
        [
          ['outcome', drillOutcome(report.outcome, findings)],
          ...(findings === null ? [] : [['findings', findings] as const]),
          ['archive', report.slot],
          ['restored', `${report.tables ?? 0} tables, ${(report.rows ?? 0).toLocaleString('en')} rows`],
          ['took', `${took(report.durationMs)}; ${took(report.projectedMs)} at the size in use`],
          ['target', `${took(report.targetMs)}, of which ${report.targetPercent ?? '–'} % was used`],
          ['sizes', `${bytes(report.restoredBytes ?? 0)} restored, ${bytes(report.liveBytes ?? 0)} in use`],
        ],
        style,
      ),
      exit: report.outcome === 'passed' && findings === null ? 'done' : 'finding',
    };
  },
});
