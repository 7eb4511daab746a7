import { html } from 'hono/html';
import type { Job } from '../../jobs';
import type { Report } from '../reports';
import { byDay, byHour, chart, successRate } from './chart';
import { ago, badge, count, duration, empty, panel, plural, status as statusBadge, table, type Html } from './parts';

/** What the overview is made of; a part that could not be looked up is the reason, for people. */
export interface Overview {
  readonly status: Report<'status'> | string;
  readonly activity: Report<'activity'> | string;
  readonly alarms: Report<'alarms'> | string;
  readonly jobs: readonly Job[];
}

/** Whether all is well, in one sentence; the numbers behind it; success over time; alarms and jobs. */
export function overviewView(overview: Overview, now: Date): Html {
  const { alarms, jobs } = overview;
  return html`<h1 tabindex="-1">Overview</h1>
    ${verdict(overview)} ${tiles(overview)} ${panel('Success over time', charts(overview))}
    <div class="columns">${panel('Open alarms', alarmList(alarms, now))} ${panel('Jobs', jobTable(jobs, now))}</div>`;
}

function verdict(overview: Overview): Html {
  const { status, alarms, jobs } = overview;
  const failed = typeof status === 'string' ? 0 : (status.events?.failed ?? 0);
  const parked = typeof status === 'string' ? 0 : (status.queues?.parked ?? 0);
  const raised = typeof alarms === 'string' ? 0 : (alarms.alarms?.length ?? 0);
  const late = jobs.filter((job) => job.status === 'late').length;
  const withFindings = jobs.filter((job) => job.findings !== null).length;
  const problems = [
    raised > 0 && `${plural(raised, 'alarm')} raised`,
    failed > 0 && `${plural(failed, 'event')} failed`,
    parked > 0 && `${plural(parked, 'message')} parked`,
    late > 0 && `${plural(late, 'job')} late`,
    withFindings > 0 && `${plural(withFindings, 'drill')} with findings`,
  ].filter((problem) => problem !== false);
  const missing = missingParts(overview);
  const lacks = missing.length === 0 ? '' : ` Could not be looked up: ${missing.join(', ')}.`;
  if (problems.length > 0) {
    return html`<p class="verdict bad"><strong>Needs attention:</strong> ${problems.join(', ')}.${lacks}</p>`;
  }
  if (missing.length > 0) {
    return html`<p class="verdict warn">
      <strong>Not everything could be looked up:</strong> ${missing.join(', ')}. All else is well.
    </p>`;
  }
  return html`<p class="verdict good"><strong>All is well.</strong> Nothing failed, nothing waits too long.</p>`;
}

/** What the overview does not know, by name. Alarms that nothing evaluates are not missing: their panel says so. */
function missingParts({ status, activity, alarms, jobs }: Overview): readonly string[] {
  const subjects =
    typeof status === 'string' ? ['totals'] : status.problems.map((problem) => problem.split(':', 1)[0] ?? '');
  const unknown = jobs.filter((job) => job.status === 'unknown').map(({ job }) => `job ${job}`);
  return [
    ...subjects,
    ...(typeof activity === 'string' ? ['success over time'] : []),
    ...(typeof alarms === 'string' || (alarms.alarms === null && alarms.isEvaluated) ? ['alarms'] : []),
    ...unknown,
  ];
}

function tiles({ status, activity }: Overview): Html {
  const known = typeof status === 'string' ? undefined : status;
  const hours = typeof activity === 'string' ? undefined : byHour(activity.hours, new Date(activity.at));
  const sum = (part: 'settled' | 'failed' | 'open'): number | undefined =>
    hours?.reduce((whole, bar) => whole + bar[part], 0);
  const received = hours && hours.reduce((whole, bar) => whole + bar.settled + bar.failed + bar.open, 0);
  const lag = typeof activity === 'string' ? undefined : activity.lag;
  const failed = known?.events?.failed;
  const parked = known?.queues?.parked;
  return html`<dl class="tiles">
    ${tile('Received', received, '24 hours')} ${tile('Processed', sum('settled'), '24 hours')}
    ${tile('Failed', failed, failed ? html`<a href="#/events?status=failed">show, retry</a>` : 'in all', failed ? 'bad' : '')}
    ${tile('Parked', parked, 'failed every attempt', parked ? 'bad' : '')}
    ${tile('Waiting', known?.queues?.waiting, 'in the queue')}
    ${tile(
      'Lag',
      lag && (lag.p95Seconds === null ? '–' : duration(lag.p95Seconds)),
      lag?.oldestOpenSeconds == null ? '95 % within, last hour' : `oldest waits ${duration(lag.oldestOpenSeconds)}`,
    )}
  </dl>`;
}

function tile(label: string, value: number | string | undefined, note: Html | string, tone = ''): Html {
  const shown = value === undefined ? '?' : typeof value === 'number' ? count(value) : value;
  return html`<div class="tile ${tone}">
    <dt>${label}</dt>
    <dd>${shown}</dd>
    <dd class="quiet note">${value === undefined ? 'could not be looked up' : note}</dd>
  </div>`;
}

function charts({ activity }: Overview): Html {
  if (typeof activity === 'string') return failure(activity);
  const at = new Date(activity.at);
  const week = byDay(activity.hours, at);
  if (successRate(week) === null) {
    return empty('No events in the last 7 days', 'The first event that arrives appears here within a minute.');
  }
  return html`<div class="charts">
    ${chart('Last 24 hours', byHour(activity.hours, at))} ${chart('Last 7 days', week)}
  </div>`;
}

function alarmList(alarms: Overview['alarms'], now: Date): Html {
  if (typeof alarms === 'string') return failure(alarms);
  if (!alarms.isEvaluated) return empty('No alarms here', alarms.problem ?? 'Nothing evaluates them.');
  if (alarms.alarms === null) return failure(alarms.problem ?? 'CloudWatch did not list them.');
  if (alarms.alarms.length === 0)
    return empty('No alarm is raised', 'Alarms that are raised are listed with what to do.');
  return html`<ul class="alarms">
    ${alarms.alarms.map(
      ({ name, since, reason, text }) =>
        html`<li data-key="${name}">
          <details>
            <summary>${badge('alarm', 'bad')} ${name} ${ago(since, now)}</summary>
            <p class="prose">${text}</p>
            <p class="quiet">${reason}</p>
          </details>
        </li>`,
    )}
  </ul>`;
}

function jobTable(jobs: readonly Job[], now: Date): Html {
  return table(
    'When each job last succeeded',
    ['Job', 'State', 'Last success', 'Late after'],
    jobs.map(({ job, status, lastSuccess, limitSeconds, findings }) => ({
      key: job,
      cells: [
        findings === null ? job : html`${job}<br /><span class="quiet">${findings}</span>`,
        findings === null ? statusBadge(status) : html`${statusBadge(status)} ${badge('findings', 'warn')}`,
        ago(lastSuccess, now),
        limitSeconds === 0 ? '–' : duration(limitSeconds),
      ],
    })),
  );
}

/** A part that could not be looked up. */
export const failure = (reason: string): Html =>
  html`<div class="empty warn">
    <p><strong>Could not be looked up</strong></p>
    <p>${reason}</p>
  </div>`;
