import { html } from 'hono/html';
import { count, plural, type Html } from './parts';

/** One bar: what became of the events of a span of time. */
export interface Bar {
  /** `14:00`, `Sun 29`. */
  readonly label: string;
  readonly settled: number;
  readonly failed: number;
  readonly open: number;
}

const HEIGHT = 88;
const STEP = 20;
const WIDTH = 14;
/** A failure is seen among thousands of events. */
const LEAST_PX = 3;

const total = ({ settled, failed, open }: Bar): number => settled + failed + open;

/** Share of the events that were applied, rounded down so that only all of them are 100 %; null without events. */
export function successRate(bars: readonly Bar[]): string | null {
  const all = bars.reduce((sum, bar) => sum + total(bar), 0);
  const settled = bars.reduce((sum, bar) => sum + bar.settled, 0);
  if (all === 0) return null;
  return settled === all ? '100 %' : `${(Math.floor((settled / all) * 1000) / 10).toFixed(1)} %`;
}

/** Success over time: a stacked bar for each span, and the same numbers as a table. */
export function chart(title: string, bars: readonly Bar[]): Html {
  const events = bars.reduce((sum, bar) => sum + total(bar), 0);
  const failed = bars.reduce((sum, bar) => sum + bar.failed, 0);
  const rate = successRate(bars);
  const most = Math.max(1, ...bars.map(total));
  const summary = `${rate ?? 'No events'}${rate === null ? '' : ` of ${plural(events, 'event')} applied, ${count(failed)} failed`}`;
  return html`<figure class="chart">
    <figcaption><span class="quiet">${title}</span> <strong>${rate ?? '–'}</strong></figcaption>
    <svg
      viewBox="0 0 ${bars.length * STEP} ${HEIGHT + 18}"
      preserveAspectRatio="none"
      role="img"
      aria-label="${title}: ${summary}"
    >
      ${bars.map((bar, index) => column(bar, index, most))}
      <line x1="0" x2="${bars.length * STEP}" y1="${HEIGHT}" y2="${HEIGHT}" class="axis" />
    </svg>
    <p class="ends quiet">
      <span>${bars[0]?.label ?? ''}</span><span>${summary}</span><span>${bars.at(-1)?.label ?? ''}</span>
    </p>
    <details>
      <summary>${title} as a table</summary>
      <table class="small">
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">Applied</th>
            <th scope="col">Failed</th>
            <th scope="col">Open</th>
          </tr>
        </thead>
        <tbody>
          ${bars
            .filter((bar) => total(bar) > 0)
            .map(
              (bar) =>
                html`<tr data-key="${bar.label}">
                  <th scope="row">${bar.label}</th>
                  <td>${count(bar.settled)}</td>
                  <td>${count(bar.failed)}</td>
                  <td>${count(bar.open)}</td>
                </tr>`,
            )}
        </tbody>
      </table>
    </details>
  </figure>`;
}

function column(bar: Bar, index: number, most: number): Html {
  const height = (events: number): number => (events === 0 ? 0 : Math.max(LEAST_PX, (events / most) * (HEIGHT - 6)));
  const parts = [
    ['settled', height(bar.settled)],
    ['open', height(bar.open)],
    ['failed', height(bar.failed)],
  ] as const;
  let y = HEIGHT;
  return html`<g>
    <title>${bar.label}: ${count(bar.settled)} applied, ${count(bar.failed)} failed, ${count(bar.open)} open</title>
    <rect x="${index * STEP}" y="0" width="${STEP}" height="${HEIGHT}" class="hit" />
    ${parts
      .filter(([, size]) => size > 0)
      .map(([name, size]) => {
        y -= size;
        const [x, top, tall] = [index * STEP + (STEP - WIDTH) / 2, y.toFixed(1), size.toFixed(1)];
        return html`<rect x="${x}" y="${top}" width="${WIDTH}" height="${tall}" class="${name}" />`;
      })}
  </g>`;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const days = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', timeZone: 'UTC' });

type Hour = Omit<Bar, 'label'> & { readonly hour: string };

/** The last 24 hours, those without events included. */
export function byHour(hours: readonly Hour[], at: Date): Bar[] {
  return spans(hours, at, HOUR_MS, 24, (start) => start.toISOString().slice(11, 16));
}

/** The last 7 days, in UTC, those without events included. */
export function byDay(hours: readonly Hour[], at: Date): Bar[] {
  return spans(hours, at, DAY_MS, 7, (start) => days.format(start));
}

function spans(hours: readonly Hour[], at: Date, span: number, number: number, label: (start: Date) => string): Bar[] {
  const last = Math.floor(at.getTime() / span) * span;
  return Array.from({ length: number }, (_, index) => {
    const start = last - (number - 1 - index) * span;
    const within = hours.filter(({ hour }) => Date.parse(hour) >= start && Date.parse(hour) < start + span);
    const sum = (of: (hour: Hour) => number): number => within.reduce((whole, hour) => whole + of(hour), 0);
    return {
      label: label(new Date(start)),
      settled: sum(({ settled }) => settled),
      failed: sum(({ failed }) => failed),
      open: sum(({ open }) => open),
    };
  });
}
