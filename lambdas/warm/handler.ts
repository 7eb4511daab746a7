import { billingTarget, createConnector, mainTarget, targetAt } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { warmDatabase } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/** Reads a database once, so that its disk is loaded; see {@link warmRequest}. Unreadable pages are part of the answer. */
export const handler = operation(contract, {
  name: 'Warming',
  telemetry: createTelemetry('warm', environment),
  // To answer what was read and where the next call continues.
  reserveMs: 20_000,
  run: (request, { remainingMs }) => {
    const { database, stopAtMs = Infinity } = request;
    return warmDatabase(
      {
        connector: createConnector(targetAt(targets[database], request), secrets, 'warm'),
        clock: () => new Date(),
        remainingMs: () => Math.min(remainingMs(), stopAtMs - Date.now()),
      },
      request,
    );
  },
  summarise: ({ unreadable }) =>
    unreadable.length === 0
      ? { message: 'Database warmed' }
      : { message: 'Some pages of the database cannot be read', level: 'error' },
});
