import { html } from 'hono/html';
import { amountText } from '../../../../core/runtime/money';
import type { Report } from '../reports';
import { bitcoinProjects, bitcoinTiles } from './bitcoin';
import { failure } from './overview';
import { ago, badge, count, duration, empty, orDash, panel, plural, status, table, tile, type Html } from './parts';

/** What the view is made of; a part that could not be looked up is the reason, for people. */
export interface Payments {
  readonly activity: Report<'activity'> | string;
  /** Payouts that need attention. */
  readonly payouts: Report<'payouts'> | string;
  /** Left out where the environment takes no bitcoin. */
  readonly bitcoin?: Report<'bitcoin'> | string;
}

const TITLES: Readonly<Record<string, string>> = { stripe: 'Stripe', tilled: 'Tilled' };

/**
 * The ways in which money comes and goes: events by provider, payouts to coaches, bitcoin.
 *
 * @param providers those that the environment takes
 */
export function paymentsView({ activity, payouts, bitcoin }: Payments, providers: readonly string[], now: Date): Html {
  return html`<h1 tabindex="-1">Payments</h1>
    ${panel('Events by provider', eventTable(activity, providers, now))} ${panel('Payouts', payoutPanel(payouts, now))}
    ${bitcoin === undefined ? '' : panel('Bitcoin', bitcoinPanel(bitcoin, now))}`;
}

function eventTable(activity: Payments['activity'], providers: readonly string[], now: Date): Html {
  if (typeof activity === 'string') return failure(activity);
  const rows = activity.providers.filter(
    // What was taken before the setting was removed may still have failed.
    ({ provider, failed, waiting }) => providers.includes(provider) || failed > 0 || waiting > 0,
  );
  return table(
    'Received and processed in 24 hours; the rest in all',
    ['Provider', 'Received', 'Processed', 'Failed', 'Parked', 'Waiting', 'Lag, 95 % within', 'Newest event'],
    rows.map((row) => ({
      key: row.provider,
      cells: [
        html`<strong>${TITLES[row.provider] ?? row.provider}</strong>`,
        count(row.received),
        count(row.settled),
        row.failed === 0
          ? '0'
          : html`${badge(count(row.failed), 'bad')} <a href="#/events?status=failed">show, retry</a>`,
        row.parked === 0 ? '0' : badge(count(row.parked), 'bad'),
        row.oldestOpenSeconds === null
          ? count(row.waiting)
          : html`${count(row.waiting)}, oldest ${duration(row.oldestOpenSeconds)}`,
        row.p95Seconds === null ? orDash(null) : duration(row.p95Seconds),
        row.newestAt === null ? html`<span class="none">none in 24 hours</span>` : ago(row.newestAt, now),
      ],
    })),
  );
}

function payoutPanel(report: Payments['payouts'], now: Date): Html {
  if (typeof report === 'string') return failure(report);
  const { totals, restrictedTotal, restrictedAccounts, payouts } = report;
  const bad = (value: number): 'bad' | '' => (value > 0 ? 'bad' : '');
  return html`<dl class="tiles">
      ${tile('Under way', count(totals.underWay), 'to arrive')}
      ${tile('Late', count(totals.late), 'past their arrival date', bad(totals.late))}
      ${tile('Failed', count(totals.failed), 'nothing replaced them', bad(totals.failed))}
      ${tile('Paid', count(totals.paid), 'made in 24 hours')}
      ${tile('Restricted', count(restrictedTotal), 'connected accounts', bad(restrictedTotal))}
    </dl>
    ${
      payouts.length === 0
        ? empty('No payout needs attention', 'Payouts that failed and nothing replaced, and late ones, appear here.')
        : html`<h3>Failed and not replaced, or late</h3>
            ${payoutTable(payouts, now)}`
    }
    ${
      restrictedAccounts.length === 0
        ? ''
        : html`<h3>Restricted accounts</h3>
            ${accountTable(report)}`
    }`;
}

function payoutTable(payouts: Report<'payouts'>['payouts'], now: Date): Html {
  return table(
    'Payouts that need attention, the newest first',
    ['Payout', 'Account', 'Status', 'Amount', 'Arrives', 'Failure', 'What to do'],
    payouts.map(({ id, account, status: state, amount, currency, arrivesAt, isLate, failureCode, failureMessage }) => ({
      key: id,
      cells: [
        html`<code>${id}</code>`,
        account === null ? 'the platform' : html`<code>${account}</code>`,
        html`${status(state)} ${isLate ? badge('late', 'bad') : ''}`,
        amountText(amount, currency),
        arrivesAt === null ? orDash(null) : ago(arrivesAt, now),
        failureCode === null ? orDash(null) : html`<span title="${failureMessage ?? ''}">${failureCode}</span>`,
        html`<code>${isLate ? `ops refresh --object ${id}` : `ops payouts retry ${id}`}</code>`,
      ],
    })),
  );
}

function accountTable({ restrictedAccounts, restrictedTotal }: Report<'payouts'>): Html {
  const caption =
    restrictedTotal > restrictedAccounts.length
      ? `The first ${count(restrictedAccounts.length)} of ${plural(restrictedTotal, 'restricted account')}`
      : 'Restricted accounts: nothing is paid out to them';
  return table(
    caption,
    ['Account', 'Cause', 'What its owner has to give'],
    restrictedAccounts.map(({ id, cause, requirementsDue }) => ({
      key: id,
      cells: [html`<code>${id}</code>`, orDash(cause), orDash(requirementsDue.join(', '))],
    })),
  );
}

function bitcoinPanel(report: Report<'bitcoin'> | string, now: Date): Html {
  if (typeof report === 'string') return failure(report);
  return html`${bitcoinTiles(report, now)}
    <h3>Settled by project, 30 days</h3>
    ${bitcoinProjects(report)}
    <p><a href="#/bitcoin">Payments under way, failed and late; reorganisations</a></p>`;
}
