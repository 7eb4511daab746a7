import { openArchiveStore } from '../../core/archive/open-store';
import { billingTarget, createConnector, mainTarget, targetAt } from '../../core/database/connector';
import { openErasureLedger } from '../../core/erasure/ledger';
import { erasureSettings } from '../../core/erasure/settings';
import { migrationsFolder } from '../../core/migrations/files';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { erasePerson, replayAt } from './core';
import { exportPerson } from './export';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...erasureSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
});
const telemetry = createTelemetry('erasure', environment);
const secrets = createSecrets();
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'reading');
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };
// The plan has one statement over all tables, which takes seconds to compile.
const connectorTo = (target: typeof targets.main) =>
  createConnector(target, secrets, 'erasure', { plainSession: true, jit: false });
const dependencies = {
  connectors: { billing: connectorTo(targets.billing), main: connectorTo(targets.main) },
  store,
  ledger: openErasureLedger(store, secrets, environment),
  hooks: environment.ERASURE_HOOKS,
  clock: () => new Date(),
};

/** Erases people, keeps them erased, and answers what is stored of them. */
export const handler = operation(contract, {
  name: 'Erasure',
  telemetry,
  // For the page that is running, and the answer.
  reserveMs: 30_000,
  run: (request, { remainingMs }) => {
    switch (request.action) {
      case 'erase':
        return erasePerson({ ...dependencies, remainingMs }, request);
      case 'export':
        return exportPerson(dependencies, request);
      default: {
        const target = targets[request.database];
        const migrationsDirectory = migrationsFolder(__dirname, target);
        const place = { ...dependencies, live: dependencies, remainingMs, migrationsDirectory };
        return replayAt(connectorTo(targetAt(target, request)), place, request);
      }
    }
  },
  // Neither whom it is about, nor what is stored of them.
  summarise: (report) => ({
    message: 'Erasure finished',
    details:
      report.action === 'erase'
        ? { action: report.action, dryRun: report.dryRun, erasureId: report.erasureId, tables: report.tables }
        : report.action === 'replay'
          ? { ...report }
          : { action: report.action, rows: report.rows.length },
  }),
});
