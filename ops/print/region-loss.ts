import type { Context } from '../context';
import type { RegionLossReport } from '../region-loss/check';
import { table } from './table';
import { moment, span } from './units';

/** A line for each check, with the fix of what is wrong below it. */
export function findingLines({ findings, region }: RegionLossReport, { style }: Pick<Context, 'style'>): string[] {
  const marks = { good: style.green('good   '), wrong: style.red('WRONG  '), skipped: style.dim('skipped') };
  const width = Math.max(...findings.map(({ check }) => check.length));
  const count = (of: string) => findings.filter(({ state, check }) => state === of && check !== 'drill').length;
  const [gaps, skipped] = [count('wrong'), count('skipped')];
  const unasked = skipped === 0 ? '' : `, as far as was asked: ${skipped} of ${findings.length} checks were skipped`;
  return [
    ...findings.flatMap(({ check, state, detail, fix }) => [
      `${marks[state]} ${check.padEnd(width)}  ${detail}`,
      ...(fix === null ? [] : [`${' '.repeat(width + 10)}${style.bold(fix)}`]),
    ]),
    '',
    gaps === 0
      ? (skipped === 0 ? style.green : style.bold)(`A recovery in ${region} has what it needs${unasked}`)
      : style.red(
          `${gaps} of ${findings.length} checks found a gap: a recovery in ${region} would fail, or lose more than promised`,
        ),
  ];
}

/** What would be lost of each database. */
export function objectiveLines(
  { rpo }: Pick<RegionLossReport, 'rpo'>,
  { style, now }: Pick<Context, 'style' | 'now'>,
): string[] {
  const rows = rpo.map(({ database, archive, recoveryPoint, seconds, promisedSeconds }) => [
    database,
    seconds === null ? 'everything' : span(seconds),
    span(promisedSeconds),
    moment(archive, now()),
    moment(recoveryPoint, now()),
  ]);
  return table(['lost now', 'RPO', 'promised', 'archive there', 'recovery point there'], rows, style);
}
