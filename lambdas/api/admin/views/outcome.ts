import { html } from 'hono/html';
import type * as z from 'zod';
import type { retryReport } from '../reports';
import { count, link, plural, type Html } from './parts';

const OUTCOMES: Readonly<Record<string, string>> = {
  processed: 'applied',
  alreadyProcessed: 'applied before',
  ignored: 'nothing to do',
  failed: 'failed again',
  deferred: 'to be tried later',
  dismissed: 'dismissed before',
  notFound: 'found nowhere',
};

/** What became of the events of one retry. */
export function outcomeView({ checked, outcomes, events }: z.infer<typeof retryReport>): Html {
  const unhappy = events.filter(({ outcome }) => ['failed', 'deferred', 'notFound'].includes(outcome));
  const counts = Object.entries(outcomes).map(([name, number]) => `${count(number)} ${OUTCOMES[name] ?? name}`);
  return html`<p>
      <strong>${plural(checked, 'event')}:</strong> ${counts.length === 0 ? 'nothing to retry' : counts.join(', ')}.
    </p>
    ${
      unhappy.length === 0
        ? ''
        : html`<ul class="list">
            ${unhappy.map(
              ({ id, outcome, error }) =>
                html`<li>
                  ${link('event', { id }, html`<code>${id}</code>`)}
                  ${OUTCOMES[outcome] ?? outcome}${
                    error === undefined ? '' : html`: <span class="error">${error}</span>`
                  }
                </li>`,
            )}
          </ul>`
    }`;
}
