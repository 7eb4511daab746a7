import { bodyLimit } from 'hono/body-limit';
import { secureHeaders } from 'hono/secure-headers';
import { createAdmin, pagePolicy } from './admin/app';
import { ADMIN_ROUTES } from './admin/contract';
import { API_ROUTES, BITCOIN_ROUTES, MAX_BODY_BYTES } from './contract';
import { addBitcoin } from './bitcoin';
import type { ApiDependencies } from './dependencies';
import { addEntitlements } from './entitlements';
import { gate, honoPath } from './gate';
import { addDocument } from './document';
import { addHealth } from './health';
import { createJobReader } from './jobs';
import { asProblem, Problem, problemResponse } from './problem';
import { addProjectMetrics } from './project-metrics';
import { addPrometheus } from './prometheus';
import { createRouter, type Router } from './router';

/** Every route, with who may call it; those of bitcoin exist where the environment takes it. */
export const ROUTES = [...API_ROUTES, ...BITCOIN_ROUTES, ...ADMIN_ROUTES];

/**
 * The HTTP API. Who may call a route is decided by the table of routes, before a handler sees the request; what is not in the
 * table is answered 404.
 */
export function createApp(dependencies: ApiDependencies): Router {
  const app = createRouter();
  app.onError((error, context) => problemResponse(context, asProblem(error, dependencies.log)));
  app.notFound((context) => problemResponse(context, notFound()));
  app.use('/admin/*', pagePolicy);
  app.use(
    secureHeaders({
      contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      strictTransportSecurity: 'max-age=63072000; includeSubDomains',
      xFrameOptions: 'DENY',
      referrerPolicy: 'no-referrer',
      crossOriginResourcePolicy: 'same-origin',
    }),
    async (context, next) => {
      await next();
      // Answers are of one caller and one moment; a route that may be kept says so.
      if (!context.res.headers.has('cache-control')) context.res.headers.set('cache-control', 'no-store');
    },
  );
  const { bitcoin } = dependencies;
  for (const route of [...API_ROUTES, ...(bitcoin ? BITCOIN_ROUTES : []), ...ADMIN_ROUTES])
    app.on(route.method, honoPath(route.path), gate(route, dependencies));
  app.use(async (context, next) => {
    if (!context.get('decided')) throw notFound();
    await next();
  });
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new Problem(413, 'payload_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes`);
      },
    }),
  );
  const readJobs = createJobReader(dependencies);
  addHealth(app, dependencies, readJobs);
  addEntitlements(app, dependencies);
  addProjectMetrics(app, dependencies);
  if (bitcoin) addBitcoin(app, dependencies, bitcoin);
  addPrometheus(app, dependencies, readJobs);
  addDocument(app);
  app.route('/', createAdmin(dependencies));
  return app;
}

function notFound(): Problem {
  return new Problem(404, 'not_found', 'There is no such route');
}
