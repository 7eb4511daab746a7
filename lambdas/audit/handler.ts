import { openArchiveStore } from '../../core/archive/open-store';
import { baseSettings, readEnvironment, setting } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { audit } from './core';

const environment = readEnvironment({
  ...baseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
});
const telemetry = createTelemetry('audit', environment);
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'writing');

/** Records what operators do, and lists it; see {@link AuditRequest}. */
export const handler = operation(contract, {
  name: 'Audit',
  telemetry,
  run: (request) => audit({ store, clock: () => new Date() }, request),
  summarise: (report, request) => {
    if (report.action === 'list') return { message: 'Actions listed', details: { actions: report.actions.length } };
    const { action: _action, ...recorded } = request as Readonly<Record<string, unknown>>;
    return { message: 'Action recorded', details: { ...recorded, id: report.id } };
  },
});
