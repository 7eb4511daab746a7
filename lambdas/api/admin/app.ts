import { createRouter, type Router } from '../router';
import type { ApiDependencies } from '../dependencies';

/** The routes of the Stability page. Each is in `ADMIN_ROUTES`, which says who may call it. */
export function createAdmin(_dependencies: ApiDependencies): Router {
  return createRouter();
}
