import { html } from 'hono/html';
import type { EventRow, Report } from '../reports';
import { ago, badge, dotted, empty, link, moment, orDash, panel, status, table, type Html, type Row } from './parts';

/** What the list was asked for, as the page's own address has it. */
export interface EventFilter {
  readonly status?: string | undefined;
  readonly about?: string | undefined;
  readonly before?: string | undefined;
}

const HEADINGS = ['Event', 'Type', 'App', 'Happened', 'Status', 'Attempts', 'Error'];

function rowOf(event: EventRow, now: Date): Row {
  const { id, type, appId, attempts, error } = event;
  const isOpen = event.status === 'failed';
  return {
    key: id,
    cells: [
      html`${link('event', { id }, html`<code>${id}</code>`)}
      ${event.provider === 'stripe' ? '' : badge(event.provider, 'calm')}`,
      dotted(type),
      orDash(appId),
      ago(event.occurredAt, now),
      html`${status(event.status)}
      ${
        isOpen
          ? html`<button
              type="button"
              class="small"
              data-retry="${id}"
              data-provider="${event.provider}"
              aria-label="Retry ${id}"
            >
              Retry
            </button>`
          : ''
      }`,
      attempts,
      error === null ? orDash(null) : html`<span class="error">${error}</span>`,
    ],
  };
}

/** Events of the ledger, the newest first, a page at a time. */
export function eventsView({ events, next }: Report<'events'>, filter: EventFilter, now: Date): Html {
  const { status: wanted, about } = filter;
  const kept = { ...(wanted === undefined ? {} : { status: wanted }), ...(about === undefined ? {} : { about }) };
  const failed = events.some((event) => event.status === 'failed');
  return html`<h1 tabindex="-1">Events</h1>
    ${
      failed
        ? html`<p class="actions">
            <button type="button" data-retry="failed">Retry all failed</button>
            <span class="quiet">Applies every failed event once more, each exactly once.</span>
          </p>`
        : ''
    }
    ${
      events.length === 0
        ? nothing(filter, next)
        : table(
            'Events, the newest first',
            HEADINGS,
            events.map((event) => rowOf(event, now)),
          )
    }
    <nav class="pages" aria-label="Pages of events">
      ${filter.before === undefined ? '' : link('events', kept, 'Newest')}
      ${next === null ? '' : link('events', { ...kept, before: next }, 'Older')}
    </nav>`;
}

function nothing({ status: wanted, about, before }: EventFilter, next: string | null): Html {
  if (next !== null) {
    return empty('Not among the events searched so far', '“Older” searches the next 20,000.');
  }
  if (wanted === 'failed' && about === undefined) return empty('No event failed', 'There is nothing to retry.');
  if (before !== undefined) return empty('No older events', 'The ledger keeps settled events for its retention.');
  if (wanted !== undefined || about !== undefined) {
    return empty('No event matches', 'Search by the id of an event, a customer, a subscription or another object.');
  }
  return empty('No events yet', 'The first event that a provider delivers appears here.');
}

type Detail = NonNullable<Report<'event'>['event']>;

/** All that the ledger has of an event, what it changed, and the other events of its object. */
export function eventView(event: Detail | null, related: readonly EventRow[], now: Date): Html {
  if (event === null) {
    return html`<h1 tabindex="-1">Event</h1>
      ${empty('The ledger has no event of this id', 'What a provider made and never delivered, reconciliation finds.')}`;
  }
  const canRetry = ['failed', 'received', 'processing', 'ignored'].includes(event.status);
  return html`<p><a href="#/events">All events</a></p>
    <h1 tabindex="-1"><code>${event.id}</code></h1>
    <p class="actions">
      ${status(event.status)} ${badge(event.livemode ? 'live' : 'test', 'calm')}
      ${canRetry ? html`<button type="button" data-retry="${event.id}" data-provider="${event.provider}">Retry</button>` : ''}
    </p>
    ${event.error === null ? '' : html`<p class="verdict bad"><strong>Error:</strong> ${event.error}</p>`}
    <div class="columns">
      ${panel('About', facts(event))} ${panel('History', history(event, now))}
      ${panel('What it changed', changes(event))}
    </div>
    ${panel('Events of the same object', relatedTable(event, related, now))}`;
}

function facts(event: Detail): Html {
  const search = (id: string | null): Html =>
    id === null ? orDash(null) : link('events', { about: id }, html`<code>${id}</code>`);
  const entries: readonly (readonly [string, Html | string | number])[] = [
    ['Type', event.type],
    ['Provider', event.provider],
    ['App', orDash(event.appId)],
    ['Object', search(event.objectId)],
    ['Customer', search(event.customerId)],
    ['Subscription', search(event.subscriptionId)],
    ['API version', orDash(event.apiVersion)],
    ['Attempts', event.attempts],
    ['Found by', event.source],
  ];
  return html`<dl class="facts">
    ${entries.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

function history(event: Detail, now: Date): Html {
  const settled = event.status === 'dismissed' ? `dismissed by ${event.dismissedBy ?? ''}` : event.status;
  const steps: readonly (readonly [string, string | null])[] = [
    ['Happened at the provider', event.occurredAt],
    ['Received', event.receivedAt],
    [event.processedAt === null ? `Not settled: ${event.status}` : `Settled: ${settled}`, event.processedAt],
  ];
  return html`<ol class="steps">
      ${steps.map(
        ([name, time]) =>
          html`<li>
            ${name} ${time === null ? '' : html`<br /><span class="quiet">${moment(time)}, ${ago(time, now)}</span>`}
          </li>`,
      )}
    </ol>
    ${event.dismissalReason === null ? '' : html`<p>Why it was dismissed: ${event.dismissalReason}</p>`}`;
}

function changes({ changedFields, objects, entitlements, status: state }: Detail): Html {
  return html`${
    objects.length === 0
      ? html`<p>${state === 'failed' ? 'Nothing: it could not be applied.' : 'It stored nothing.'}</p>`
      : html`<ul class="list">
          ${objects.map(
            ({ kind, status: now, isOfThisEvent, originEvents }) =>
              html`<li>
                ${kind.replaceAll('_', ' ')}${now === null ? '' : html`, now ${badge(now, 'calm')}`}:
                ${
                  isOfThisEvent
                    ? html`<strong>stored as this event said.</strong>`
                    : originEvents[0] === undefined
                      ? 'a state that was fetched is in force.'
                      : html`a state of ${link('event', { id: originEvents[0] }, html`<code>${originEvents[0]}</code>`)}
                        is in force.`
                }
              </li>`,
          )}
        </ul>`
  }
  ${changedFields === null ? '' : html`<p>Fields that the provider changed: ${changedFields.join(', ')}.</p>`}
  ${
    entitlements.length === 0
      ? ''
      : html`<p>The object grants:</p>
          <ul class="list">
            ${entitlements.map(
              ({ userId, projectId, feature, validUntil }) =>
                html`<li>
                  <strong>${feature}</strong> to ${link('entitlements', { user: userId }, userId)}
                  ${projectId === '' ? '' : html`in ${projectId}`},
                  ${validUntil === null ? 'for good' : html`until ${moment(validUntil)}`}
                </li>`,
            )}
          </ul>`
  }`;
}

function relatedTable(event: Detail, related: readonly EventRow[], now: Date): Html {
  const others = related.filter(({ id }) => id !== event.id);
  if (others.length === 0) return empty('No other event', 'Among the newest 20,000, no other is about this object.');
  return table(
    'Other events of the object, the newest first',
    HEADINGS,
    others.map((each) => rowOf(each, now)),
  );
}
