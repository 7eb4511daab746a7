import { dashboardsOf, type WidgetBody } from '../lib/monitoring/dashboard-support';

/** Pixels of a column and of a row, and between widgets. */
const [COLUMN, ROW, GAP] = [48, 30, 8];
const COLORS = ['#1f77b4', '#2ca02c', '#9467bd', '#17becf', '#8c564b', '#7f7f7f'];
const THRESHOLD_COLORS: Readonly<Record<string, string>> = { warning: '#ff7f0e', critical: '#d62728' };
const POINTS = 36;

/** The dashboard of production as it stands in the template, with sample data, as an SVG document. */
export function dashboardPicture(): string {
  const widgets = dashboardsOf('production')['BillingOps-production-overview'] ?? [];
  const height = Math.max(...widgets.map((widget) => widget.y + widget.height)) * ROW + GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * COLUMN + GAP} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#f2f3f3"/>`,
    ...widgets.map(drawn),
    '</svg>',
    '',
  ].join('\n');
}

function drawn(widget: WidgetBody): string {
  const [width, height] = [widget.width * COLUMN - GAP, widget.height * ROW - GAP];
  const content = contentOf(widget, width, height);
  return `<g transform="translate(${widget.x * COLUMN + GAP} ${widget.y * ROW + GAP})">${content}</g>`;
}

function contentOf(widget: WidgetBody, width: number, height: number): string {
  const box = `<rect width="${width}" height="${height}" rx="4" fill="#fff" stroke="#d5dbdb"/>`;
  const { markdown, title = '' } = widget.properties;
  if (markdown !== undefined) return textBlock(markdown);
  const heading = `<text x="10" y="18" font-weight="bold">${escaped(title)}</text>`;
  if (widget.type === 'alarm') return box + heading + alarmStates(widget, width);
  return box + heading + (widget.properties.view === 'singleValue' ? numbers(widget) : graph(widget, width, height));
}

/** Headings larger than what follows; links by their text. */
function textBlock(markdown: string): string {
  const plain = markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
  const [first = '', ...rest] = plain.split('\n');
  const size = first.startsWith('### ') ? 15 : 19;
  return (
    `<text x="2" y="24" font-size="${size}" font-weight="bold">${escaped(first.replace(/^#+ /, ''))}</text>` +
    `<text x="2" y="42" fill="#545b64">${escaped(rest.join(' '))}</text>`
  );
}

function alarmStates({ properties: { alarms = [] } }: WidgetBody, width: number): string {
  const perRow = Math.floor((width - 20) / 16);
  return alarms
    .map((_, index) => {
      const [x, y] = [10 + (index % perRow) * 16, 30 + Math.floor(index / perRow) * 16];
      return `<rect x="${x}" y="${y}" width="12" height="12" rx="2" fill="#2ca02c"/>`;
    })
    .join('');
}

/** What a single number shows, by the beginning of the widget's title; none of what is counted. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  'Days until the disk': ['214', '391'],
  'Days until a certificate': ['287', '287'],
};

function numbers(widget: WidgetBody): string {
  const [, values = []] = Object.entries(NUMBERS).find(([title]) => widget.properties.title?.startsWith(title)) ?? [];
  return labelsOf(widget)
    .map(
      (label, index) =>
        `<text x="${14 + index * 130}" y="80" font-size="28">${values[index] ?? 0}</text>` +
        `<text x="${14 + index * 130}" y="100" fill="#545b64">${escaped(label)}</text>`,
    )
    .join('');
}

function graph(widget: WidgetBody, width: number, height: number): string {
  const thresholds = widget.properties.annotations?.horizontal ?? [];
  const top = Math.max(1, ...thresholds.map(({ value }) => value)) * 1.15;
  const [left, right, upper, lower] = [44, width - 10, 28, height - 34];
  const y = (value: number) => (lower - (value / top) * (lower - upper)).toFixed(0);
  const labels = labelsOf(widget);
  const lines = labels.map((_, index) => {
    const points = samples(`${widget.properties.title} ${index}`, {
      limit: top * (thresholds.length > 0 ? 0.35 : 0.7),
      // Percentiles lie above each other.
      share: labels.includes('p95') ? (index + 1) / labels.length : undefined,
    });
    const path = points.map((value, at) => `${(left + (at * (right - left)) / (POINTS - 1)).toFixed(0)},${y(value)}`);
    return `<polyline fill="none" stroke="${COLORS[index % COLORS.length]}" points="${path.join(' ')}"/>`;
  });
  const limits = thresholds.map(({ value, label }) => {
    const at = y(value);
    return `<path d="M${left} ${at}H${right}" stroke="${THRESHOLD_COLORS[label]}" stroke-dasharray="4 3"/><text x="${left - 4}" y="${Number(at) + 4}" text-anchor="end" font-size="9" fill="${THRESHOLD_COLORS[label]}">${short(value)}</text>`;
  });
  const axis = `<path d="M${left} ${upper}V${lower}H${right}" fill="none" stroke="#aab7b8"/><text x="8" y="${upper + 2}" font-size="9" fill="#545b64">${escaped(widget.properties.yAxis?.left?.label ?? '')}</text>`;
  return axis + lines.join('') + limits.join('') + legend(labels, width, height);
}

/** A number of at most five characters, as CloudWatch writes it on an axis. */
function short(value: number): string {
  if (value < 10_000) return String(value);
  if (value < 1_000_000) return `${value / 1_000}k`;
  return value < 1_000_000_000 ? `${value / 1_000_000}M` : `${value / 1_000_000_000}G`;
}

function legend(labels: readonly string[], width: number, height: number): string {
  let x = 12;
  return labels
    .map((label, index) => {
      const entry = `<rect x="${x}" y="${height - 18}" width="8" height="8" fill="${COLORS[index % COLORS.length]}"/><text x="${x + 11}" y="${height - 10}" font-size="9">${escaped(label)}</text>`;
      x += 22 + label.length * 5;
      return x > width ? '' : entry;
    })
    .join('');
}

/** Names of the lines; of lines that CloudWatch finds, three that it may find. */
function labelsOf({ properties: { metrics = [] } }: WidgetBody): string[] {
  return metrics.flatMap((metric) => {
    const options = (metric.at(-1) ?? {}) as { label?: string; expression?: string; visible?: boolean };
    if (options.visible === false) return [];
    if (options.expression?.startsWith('SEARCH') !== true) return [options.label ?? ''];
    if (options.expression.includes('type}'))
      return ['shop invoice.paid', 'shop charge.succeeded', 'club invoice.paid'];
    if (options.expression.includes('role}')) return ['billing_admin', 'billing_api', 'analytics'];
    if (options.expression.includes('EventBacklog')) return ['received', 'failed'];
    if (options.expression.includes('status}')) return ['processed', 'ignored', 'duplicate'];
    if (options.expression.includes('plan}')) return ['shop basic', 'shop pro', 'club yearly'];
    if (options.expression.includes('secret}')) return ['billing-database', 'main-database', 'stripe-api'];
    return ['webhook', 'processor', 'backup'];
  });
}

/** A day of plausible values below a limit, the same for the same name; around a share of it, where that is given. */
function samples(
  name: string,
  { limit, share }: { readonly limit: number; readonly share?: number | undefined },
): number[] {
  let seed = Buffer.from(name).reduce((hash, byte) => (hash * 31 + byte) % 2_147_483_647, 7);
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  // The first numbers of names that differ in their last letter only are nearly the same.
  for (let skipped = 0; skipped < 3; skipped += 1) random();
  const level = limit * (share ?? 0.3 + 0.5 * random());
  return Array.from(
    { length: POINTS },
    (_, at) => level * (0.75 + 0.2 * Math.sin((at / POINTS) * 2 * Math.PI) + 0.15 * random()),
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
