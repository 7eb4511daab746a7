import { html } from 'hono/html';
import { bitcoinText } from '../../../../core/runtime/money';
import type { Report } from '../reports';
import { failure } from './overview';
import { ago, count, duration, empty, orDash, panel, status, table, tile, type Html } from './parts';

type Bitcoin = Report<'bitcoin'>;

/** How payments in bitcoin are, and how far the node is. */
export function bitcoinView(report: Bitcoin | string, now: Date): Html {
  if (typeof report === 'string')
    return html`<h1 tabindex="-1">Bitcoin</h1>
      ${failure(report)}`;
  return html`<h1 tabindex="-1">Bitcoin</h1>
    ${bitcoinTiles(report, now)}
    ${panel('Under way', payments('Seen and not settled, the oldest first', report.underWay, now))}
    ${panel('Failed or too late', payments('Of the last 7 days, the newest first', report.lost, now))}
    <div class="columns">
      ${panel('Settled by project', bitcoinProjects(report))} ${panel('Reorganisations', reorganisations(report, now))}
    </div>`;
}

/** What waits, what was settled or lost, how long it took, and where the node is. */
export function bitcoinTiles({ chain, statuses, lastDay }: Bitcoin, now: Date): Html {
  const of = (name: string): string => count(statuses.find((each) => each.status === name)?.payments ?? 0);
  const behind = chain === null ? 0 : Math.max(0, chain.nodeHeight - chain.height);
  return html`<dl class="tiles">
    ${tile('Last block', chain === null ? '–' : count(chain.height), chain === null ? 'no run yet' : ago(chain.blockAt, now))}
    ${tile('Node', chain === null ? '–' : `+${count(behind)}`, chain === null ? 'no run yet' : html`answered ${ago(chain.nodeAt, now)}`)}
    ${tile('Pending', of('pending'), 'nothing seen yet')} ${tile('Settled', count(lastDay.settled), '24 hours')}
    ${tile('Lost', count(lastDay.lost), 'failed or too late, 24 hours', lastDay.lost > 0 ? 'bad' : '')}
    ${tile('To settlement', lastDay.meanMinutes === null ? '–' : duration(lastDay.meanMinutes * 60), 'mean of 24 hours')}
  </dl>`;
}

function payments(caption: string, rows: Bitcoin['underWay'], now: Date): Html {
  if (rows.length === 0) return empty('None', caption);
  return table(
    caption,
    ['Payment', 'Project', 'Status', 'BTC', 'Received', 'First seen', 'Transactions'],
    rows.map((row) => ({
      key: row.id,
      cells: [
        html`<code>${row.id}</code>`,
        orDash(row.projectId),
        status(row.status),
        bitcoinText(row.amount),
        bitcoinText(row.received),
        ago(row.firstSeenAt, now),
        html`${row.transactions.map(
          ({ txid, state, blockHeight }) =>
            html`<div title="${txid}">${txid.slice(0, 8)}… ${state.replace('_', '-')} ${blockHeight ?? ''}</div>`,
        )}`,
      ],
    })),
  );
}

/** The projects with the most settled payments. */
export function bitcoinProjects({ projects: rows }: Pick<Bitcoin, 'projects'>): Html {
  if (rows.length === 0) return empty('None', 'Projects with settled payments of the last 30 days appear here.');
  return table(
    'Settled in the last 30 days',
    ['Project', 'Payments', 'BTC'],
    rows.map(({ projectId, payments: settled, amount }) => ({
      key: projectId ?? '',
      cells: [orDash(projectId), count(settled), bitcoinText(amount)],
    })),
  );
}

function reorganisations({ reorganisations: rows }: Bitcoin, now: Date): Html {
  if (rows.length === 0) return empty('None', 'The chain has gone one way since the first run.');
  return table(
    'Blocks that were taken back',
    ['Noticed', 'After block', 'Blocks', 'Transactions'],
    rows.map(({ noticedAt, forkHeight, depth, transactions }) => ({
      key: noticedAt,
      cells: [ago(noticedAt, now), count(forkHeight), count(depth), count(transactions)],
    })),
  );
}
