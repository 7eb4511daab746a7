/** A table in Markdown, its first column aligned left and the others right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    `| ${widths
      .map((width, column) =>
        column === 0 ? (line[column] ?? '').padEnd(width) : (line[column] ?? '').padStart(width),
      )
      .join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [format(header), rule, ...rows.map(format)].join('\n');
}

/** `1,234` */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `2.31 ×` of the base, or a dash where there is no base to compare with. */
export function ratio(value: number | undefined, base: number | undefined): string {
  return value === undefined || base === undefined || base === 0 ? '–' : `${(value / base).toFixed(2)} ×`;
}

/** `pass` or `MISSED`, with the aim and what was measured. */
export function verdict(aim: string, measured: string, reached: boolean): string {
  return `${reached ? 'pass  ' : 'MISSED'}  ${aim}: ${measured}`;
}

/** Progress for whoever watches; results go to standard output, so that they can be redirected. */
export function progress(message: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${message}\n`);
}
