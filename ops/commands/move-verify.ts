import type { VerifyReport } from '../../lambdas/move/contract';
import { defineCommand } from '../command';
import { counted } from '../print/units';

export const moveVerify = defineCommand({
  name: 'move verify',
  summary: 'Compares schema and all rows of the old and the new server, while both are in use',
  details:
    'A cut-over wants a comparison of the last 24 hours. After it, this compares the old server with the new one.',
  effect: 'adds',
  changes: 'writes rows of its own, whose arrival it waits for, and records when both were equal.',
  json: 'the report `verify` of `lambdas/move/contract.ts`, of all tables',
  finding: 'the servers differ',
  arguments: {},
  options: {},
  examples: [{ line: 'move verify', explains: 'Do both servers hold the same?' }],
  async run({ invoke, note, style }) {
    const { MOVES } = await import('../../lambdas/move/contract');
    const parts: VerifyReport[] = [];
    for (let part: VerifyReport | undefined; part === undefined || part.continueFrom !== null;) {
      part = await invoke('move', MOVES.verify, {
        action: 'verify',
        ...(part && { continueFrom: part.continueFrom ?? '', equalSoFar: part.equal }),
      });
      parts.push(part);
      if (part.continueFrom !== null) note(`Compared up to ${part.continueFrom}, where it continues`);
    }
    const last = parts.at(-1) as VerifyReport;
    const report = {
      ...last,
      schemaDifferences: parts.flatMap(({ schemaDifferences }) => schemaDifferences),
      tables: parts.flatMap(({ tables }) => tables),
      rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    };
    const unequal = report.tables.filter(({ differences }) => differences > 0);
    const lines = [
      ...report.schemaDifferences.map((difference) => style.yellow(`schema: ${difference}`)),
      ...unequal.map(({ table, differences }) =>
        style.yellow(`${table}: differs in ${counted(differences, 'part')} of 1024`),
      ),
      `${report.rows.toLocaleString('en')} rows of ${counted(report.tables.length, 'table')} compared: ${report.equal ? 'equal, and the schema as well' : 'NOT equal'}`,
      `Next: ${nextOf(report)}`,
    ];
    return { report, lines, exit: report.equal ? 'done' : 'finding' };
  },
});

function nextOf({ equal, stage }: VerifyReport): string {
  if (!equal) return 'ops move verify again; where it stays, ops move roll-back';
  return stage === 'copying' ? 'ops move cut-over' : 'ops move finish after 7 days, or ops move roll-back';
}
