import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { createConnector, withConnection } from '../../core/database/connector';
import { createReusableConnection, type ReusableConnection } from '../../core/database/reusable-connection';
import { createCache } from '../../core/cache/connection';
import { createEntitlementCache } from '../../core/entitlements/entitlement-cache';
import { API_DATABASE_ROLE, type Scope } from '../../core/keys/contract';
import { createRequestLimit } from '../../core/keys/request-limit';
import { API_ALIAS } from '../../core/contract';
import { assertAdmitted } from '../../core/runtime/admission';
import { createApp } from '../../lambdas/api/app';
import type { ApiDependencies } from '../../lambdas/api/dependencies';
import type { Router } from '../../lambdas/api/router';
import { contract as audit } from '../../lambdas/audit/contract';
import { contract as entitlements } from '../../lambdas/entitlements/contract';
import { contract as inspect } from '../../lambdas/inspect/contract';
import { contract as replay } from '../../lambdas/replay/contract';
import type { CheckedKeysRequest, KeysReport } from '../../lambdas/keys/contract';
import { administerKeys } from '../../lambdas/keys/core';
import { createTestDatabase, clusterSecrets, type TestDatabase } from '../support/database';
import { silentLog } from '../support/log';

/** The secret that keys of tests are hashed under. */
export const KEY_SECRET = 's'.repeat(64);

const CONTRACTS = { audit, entitlements, inspect, replay } as const;

export interface ApiUnderTest {
  readonly database: TestDatabase;
  /** A connection as the owner of the tables. */
  readonly client: Client;
  readonly connection: ReusableConnection;
  readonly app: Router;
  /** What the functions that the API asks were asked, in order; answers come from `answers`. */
  readonly asked: { readonly stem: string; readonly request: object }[];
  /** Answers of the functions that the API asks, by stem. */
  readonly answers: Record<string, (request: object, signal?: AbortSignal) => unknown>;
  /** Creates, lists, rotates or revokes keys, as the function `keys` does. */
  administer(request: CheckedKeysRequest): Promise<KeysReport>;
  /** Creates a key. */
  key(scopes: readonly Scope[], projects?: readonly string[] | null, expiresAt?: string | null): Promise<string>;
  get(path: string, key?: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, key?: string, body?: unknown): Promise<Response>;
  stop(): Promise<void>;
}

/** The application on a database of its own, called without HTTP. */
export async function startApi(overrides: Partial<ApiDependencies> = {}): Promise<ApiUnderTest> {
  const database = await createTestDatabase('billing');
  const client = await database.client();
  const connector = createConnector(database.connector.target, clusterSecrets(), 'api', { role: API_DATABASE_ROLE });
  const connection = createReusableConnection(connector);
  const asked: { stem: string; request: object }[] = [];
  const answers: ApiUnderTest['answers'] = {};
  const app = createApp({
    database: connection,
    cache: createEntitlementCache(createCache({ url: '', onUnavailable: () => undefined })),
    keySecret: async () => KEY_SECRET,
    ask: async (stem, request, signal) => {
      // As Lambda does: what the alias of the API does not admit is never answered.
      assertAdmitted(
        CONTRACTS[stem],
        `arn:aws:lambda:eu-central-1:000000000000:function:${stem}:${API_ALIAS}`,
        request,
      );
      asked.push({ stem, request });
      const answer = answers[stem];
      if (answer === undefined) throw new Error(`${stem} does not answer in this test`);
      return answer(request, signal);
    },
    hasCanary: true,
    providers: ['stripe', 'tilled'],
    bitcoin: { network: 'mainnet', confirmations: 3 },
    requestLimit: createRequestLimit({
      use: (work) => connection.use(work),
      clock: () => new Date(),
      maxPerMinute: 15_000,
    }),
    clock: () => new Date(),
    log: silentLog,
    ...overrides,
  });
  const administer = (request: CheckedKeysRequest): Promise<KeysReport> =>
    administerKeys(
      { useDatabase: (work) => withConnection(database.connector, work), keySecret: async () => KEY_SECRET },
      request,
    );
  const send = async (
    path: string,
    { headers: given = {}, ...init }: { method?: string; body?: string; headers?: Record<string, string> },
    key?: string,
  ): Promise<Response> => {
    const headers = { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...given };
    const event = { requestContext: { identity: { sourceIp: '192.0.2.1' } } };
    return app.request(path, { ...init, headers }, { event: event as never });
  };
  return {
    database,
    client,
    connection,
    app,
    asked,
    answers,
    administer,
    async key(scopes, projects = null, expiresAt = null) {
      const name = `test ${randomUUID()}`;
      const report = await administer({
        action: 'create',
        name,
        scopes,
        projects,
        expiresAt,
        by: 'test',
        dryRun: false,
      });
      return (report.action === 'create' && report.key) || '';
    },
    get: (path, key, headers = {}) => send(path, { headers }, key),
    post: (path, key, body) =>
      send(
        path,
        {
          method: 'POST',
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        },
        key,
      ),
    async stop() {
      await connection.close();
      await database.drop();
    },
  };
}
