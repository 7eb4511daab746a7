import { html } from 'hono/html';
import type { Report } from '../reports';
import { failure } from './overview';
import { ago, badge, count, duration, empty, link, orDash, panel, plural, status, table, type Html } from './parts';

/** Runs of reconciliation, and what one of them found. */
export function reconciliationView(
  runs: Report<'reconciliations'> | string,
  findings: Report<'findings'> | string,
  now: Date,
): Html {
  return html`<h1 tabindex="-1">Reconciliation</h1>
    ${panel('Runs', runTable(runs, now))} ${panel(titleOf(findings), findingTable(findings, runs))}`;
}

const titleOf = (findings: Report<'findings'> | string): string =>
  typeof findings === 'string' || findings.runId === null ? 'Findings' : `Findings of run ${findings.runId}`;

function runTable(report: Report<'reconciliations'> | string, now: Date): Html {
  if (typeof report === 'string') return failure(report);
  if (report.runs.length === 0) return empty('No run yet', 'Reconciliation compares with Stripe every day.');
  return table(
    'Runs, the newest first',
    ['Run', 'Began', 'Status', 'Took', 'Missed events', 'Differences', 'Corrected', 'Errors'],
    report.runs.map((run) => ({
      key: run.runId,
      cells: [
        link('reconciliation', { run: run.runId }, `Findings of run ${run.runId}`),
        ago(run.startedAt, now),
        html`${status(run.status)} ${run.dryRun ? badge('dry run', 'calm') : ''}`,
        run.finishedAt === null
          ? orDash(null)
          : duration((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000),
        count(run.eventsMissed),
        count(run.driftDetected),
        count(run.corrected),
        run.error === null ? count(run.errors) : html`<span class="error">${run.error}</span>`,
      ],
    })),
  );
}

function findingTable(report: Report<'findings'> | string, runs: Report<'reconciliations'> | string): Html {
  if (typeof report === 'string') return failure(report);
  const { findings, total } = report;
  const known = typeof runs !== 'string' && runs.runs.some(({ runId }) => runId === report.runId);
  if (findings.length === 0 && !known) return empty('No such run', 'It is none of the runs above.');
  if (findings.length === 0) return empty('Nothing differed', 'What is stored was as the provider has it.');
  return html`${
    total > findings.length
      ? html`<p class="quiet">The first ${count(findings.length)} of ${plural(total, 'finding')}.</p>`
      : ''
  }
  ${table(
    'What differed from the provider',
    ['Object', 'Finding', 'Field', 'Here', 'At the provider', 'Corrected'],
    findings.map((finding, index) => ({
      key: `${finding.objectId} ${finding.field ?? ''} ${index}`,
      cells: [
        html`${finding.objectType.replaceAll('_', ' ')}
        ${link('events', { about: finding.objectId }, html`<code>${finding.objectId}</code>`)}`,
        finding.kind.replaceAll('_', ' '),
        orDash(finding.field),
        orDash(finding.localValue),
        orDash(finding.remoteValue),
        finding.corrected ? badge('yes', 'good') : badge('no', 'warn'),
      ],
    })),
  )}`;
}
