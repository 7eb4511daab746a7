import { createRoute } from '@hono/zod-openapi';
import * as z from 'zod';
import type { Router } from './router';
import { json, SERVER_PROBLEMS } from './schemas';

const route = createRoute({
  method: 'get',
  path: '/api/openapi.json',
  tags: ['Health'],
  summary: 'This document',
  responses: {
    200: json('OpenAPI 3.1.', z.looseObject({}), { openapi: '3.1.0' }),
    500: SERVER_PROBLEMS[500],
  },
});

/** The OpenAPI document of the application, made of its routes. */
export function openApiDocument(app: Router) {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Billing operations',
      version: '1',
      description:
        "Who may use what, what a project earns, and how the platform is. Errors are problem details (RFC 9457), also those that API Gateway answers itself: 404 for what is no route, 413, 429, 403 by the firewall, and 5xx where no function answered. API Gateway's other answers have no `status` field.",
    },
    servers: [{ url: '/' }],
  });
}

/** The route that serves the document. */
export function addDocument(app: Router): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of `ops keys create`.',
  });
  let document: object | undefined;
  app.openapi(route, (context) => {
    document ??= openApiDocument(app);
    context.header('cache-control', 'public, max-age=300');
    return context.json(document, 200);
  });
}
