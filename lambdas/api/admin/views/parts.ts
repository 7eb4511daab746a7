import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';

/** Escaped HTML. Whatever a template is given is escaped, unless it came from a template itself. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const SECOND = 1_000;
const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const;

const counts = new Intl.NumberFormat('en');

/** `1,284`. */
export const count = (value: number): string => counts.format(value);

/** `1 event`, `2 events`. */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `90 s`, `3 min`, `26 h`, `5 d`: at least two of the unit, so that little is rounded away; `40 ms` below a second. */
export function duration(seconds: number): string {
  const milliseconds = Math.max(0, Math.round(seconds * SECOND));
  if (milliseconds < SECOND) return `${milliseconds} ms`;
  const [unit, size] = UNITS.find(([, each]) => seconds >= 2 * each) ?? ['s', 1];
  return `${Math.floor(milliseconds / SECOND / size)} ${unit}`;
}

/** `3.2 MB`. */
export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled >= 100 || power === 0 ? Math.round(scaled) : scaled.toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

/** How long ago a moment is, with the moment itself for who asks. */
export function ago(time: string | null, now: Date): Html {
  if (time === null) return html`<span class="none">never</span>`;
  const seconds = (now.getTime() - Date.parse(time)) / SECOND;
  const words = seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
  return html`<time datetime="${time}" title="${moment(time)}">${words}</time>`;
}

/** `2026-11-29 14:05:10 UTC`. */
export const moment = (time: string): string => `${time.slice(0, 19).replace('T', ' ')} UTC`;

export type Tone = 'good' | 'bad' | 'warn' | 'calm';

/** A state in one word; its colour only repeats the word. */
export const badge = (word: string, tone: Tone): Html => html`<span class="badge ${tone}">${word}</span>`;

const TONES: Readonly<Record<string, Tone>> = {
  processed: 'good',
  complete: 'good',
  passed: 'good',
  ok: 'good',
  signed: 'good',
  settled: 'good',
  confirmed: 'calm',
  underpaid: 'warn',
  failed: 'bad',
  late: 'bad',
  slow: 'warn',
  interrupted: 'warn',
  received: 'warn',
  processing: 'warn',
  unknown: 'warn',
};

/** The badge of a status of the ledger, of a run, of a job or of a drill. */
export const status = (word: string): Html => badge(word, TONES[word] ?? 'calm');

/** A text, or a dash where there is none. */
export const orDash = (value: string | number | null | undefined): Html =>
  value === null || value === undefined || value === '' ? html`<span class="none">–</span>` : html`${value}`;

/** A dotted name, which may wrap after its dots. */
export const dotted = (name: string): Html =>
  html`${name.split('.').map((part, index) => html`${index === 0 ? '' : html`.<wbr />`}${part}`)}`;

/** A link to another view of the page. */
export const link = (view: string, parameters: Readonly<Record<string, string>>, text: Html | string): Html =>
  html`<a href="#/${view}?${new URLSearchParams(parameters).toString()}">${text}</a>`;

/** A number with its label and what it counts; `bad` where it needs attention. */
export const tile = (label: string, value: string, note: Html | string, tone: 'bad' | '' = ''): Html =>
  html`<div class="tile ${tone}">
    <dt>${label}</dt>
    <dd>${value}</dd>
    <dd class="quiet note">${note}</dd>
  </div>`;

/** A table that a phone shows as cards; each cell is under its heading. */
export function table(caption: string, headings: readonly string[], rows: readonly Row[]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption class="quiet">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${headings.map((heading) => html`<th scope="col">${heading}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ key, cells }) =>
            html`<tr data-key="${key}">
              ${cells.map((cell, index) => html`<td data-label="${headings[index] ?? ''}"><div>${cell}</div></td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

export interface Row {
  /** The same in the next answer, so that a refresh keeps the row. */
  readonly key: string;
  readonly cells: readonly (Html | string | number)[];
}

/** What is shown where there is nothing. */
export const empty = (title: string, text: string): Html =>
  html`<div class="empty">
    <p><strong>${title}</strong></p>
    <p>${text}</p>
  </div>`;

/** A part of a view, with its heading. */
export const panel = (title: string, content: Html): Html =>
  html`<section class="panel" aria-label="${title}">
    <h2>${title}</h2>
    ${content}
  </section>`;
