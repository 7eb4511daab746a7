import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { createApp } from '../../../lambdas/api/app';
import type { ApiDependencies } from '../../../lambdas/api/dependencies';
import { openApiDocument } from '../../../lambdas/api/document';

interface Content {
  readonly schema: object;
  readonly example?: unknown;
}
interface Operation {
  readonly security?: unknown;
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
}

/** Nothing is asked: routes alone make the document. */
const app = createApp({
  providers: ['stripe'],
  bitcoin: { network: 'mainnet', confirmations: 3 },
} as unknown as ApiDependencies);
const document = JSON.parse(JSON.stringify(openApiDocument(app))) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
};
const operations = Object.entries(document.paths).flatMap(([route, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method, route, operation })),
);

/** A schema of the document, which names the shared ones. */
const schemaOf = (schema: object): z.ZodType =>
  z.fromJSONSchema(
    JSON.parse(
      JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
    ) as never,
  );

test('the committed OpenAPI document is that of the code; npx tsx test/docs/write-openapi.ts writes it again', () => {
  const committed = readFileSync(path.resolve(__dirname, '../../../docs/openapi.json'), 'utf8');
  expect(JSON.parse(committed)).toEqual(document);
});

test('every answer with a body has an example, which has the form that the document gives the answer', () => {
  const answers = operations.flatMap(({ method, route, operation }) =>
    Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.values(content).map(({ schema, example }) => ({ name: `${method} ${route} ${status}`, schema, example })),
    ),
  );
  expect(answers.length).toBeGreaterThan(70);
  const wrong = answers.filter(({ schema, example }) => !schemaOf(schema).safeParse(example).success);
  expect(wrong.map(({ name }) => name)).toEqual([]);
  const statuses = answers.filter(({ name, example }) => {
    const { status } = (example ?? {}) as { readonly status?: unknown };
    return typeof status === 'number' && !name.endsWith(` ${status}`);
  });
  expect(statuses).toEqual([]);
});

test('every operation has the answers that its kind can get', () => {
  const lacking = operations.flatMap(({ method, route, operation: { security, responses } }) => {
    const wanted = [
      '500',
      ...(security === undefined ? [] : ['401', '403', '429', '503']),
      ...(method === 'post' ? ['413'] : []),
      ...(route.includes('{') ? ['400'] : []),
    ];
    return wanted.filter((status) => !(status in responses)).map((status) => `${method} ${route} ${status}`);
  });
  expect(lacking).toEqual([]);
});
