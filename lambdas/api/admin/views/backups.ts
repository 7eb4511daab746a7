import { html } from 'hono/html';
import { drillOutcome, recordedFindings } from '../../../../core/restore/contract';
import type { Report } from '../reports';
import { failure } from './overview';
import { ago, badge, bytes, count, duration, empty, moment, orDash, panel, status, table, type Html } from './parts';

/** Backups and drills of one database; a part that could not be looked up is the reason. */
export interface DatabaseBackups {
  readonly database: string;
  readonly archives: Report<'archives'> | string;
  readonly drills: Report<'drills'> | string;
}

/** Archives and restore drills of each database. */
export function backupsView(databases: readonly DatabaseBackups[], now: Date): Html {
  return html`<h1 tabindex="-1">Backups</h1>
    ${databases.map(
      ({ database, archives, drills }) =>
        html`${panel(`Archives of ${database}`, archiveTable(database, archives, now))}
        ${panel(`Restore drills of ${database}`, drillTable(database, drills, now))}`,
    )}`;
}

function archiveTable(database: string, report: DatabaseBackups['archives'], now: Date): Html {
  if (typeof report === 'string') return failure(report);
  const { archives, incomplete, unreadable } = report;
  return html`${unreadable.map(
    ({ slot, problem }) => html`<p class="verdict bad"><strong>${moment(slot)} cannot be read:</strong> ${problem}</p>`,
  )}
  ${
    incomplete.length === 0
      ? ''
      : html`<p class="verdict warn">
          <strong>Running, or cut off:</strong> ${incomplete.map((slot) => moment(slot)).join(', ')}
        </p>`
  }
  ${
    archives.length === 0
      ? empty('No archive yet', `ops backup ${database} makes one now.`)
      : table(
          `Archives of ${database}, the newest first`,
          ['Archive', 'Age', 'Rows', 'Tables', 'Size', 'Took', 'Signature', 'Schema'],
          archives.map((archive) => ({
            key: archive.slot,
            cells: [
              moment(archive.slot),
              ago(archive.finishedAt, now),
              count(archive.rows),
              archive.tables,
              bytes(archive.compressedBytes),
              duration(archive.durationMs / 1000),
              badge(archive.signature, archive.signature === 'valid' ? 'good' : 'warn'),
              orDash(archive.schemaVersion),
            ],
          })),
        )
  }`;
}

function drillTable(database: string, report: DatabaseBackups['drills'], now: Date): Html {
  if (typeof report === 'string') return failure(report);
  if (report.drills.length === 0)
    return empty('No drill yet', `ops drill ${database} restores the newest archive now.`);
  return table(
    `Drills of ${database}, the newest first`,
    ['Began', 'Outcome', 'Rows', 'Took', 'Target', 'Error or findings'],
    report.drills.map((drill) => ({
      key: drill.startedAt,
      cells: [
        ago(drill.startedAt, now),
        outcomeOf(drill),
        drill.rows === null ? orDash(null) : count(drill.rows),
        drill.durationMs === null ? orDash(null) : duration(drill.durationMs / 1000),
        duration(drill.targetMs / 1000),
        orDash(drill.error),
      ],
    })),
  );
}

function outcomeOf(drill: Report<'drills'>['drills'][number]): Html {
  const findings = recordedFindings(drill);
  return findings === null ? status(drill.outcome) : badge(drillOutcome(drill.outcome, findings), 'warn');
}
