import type { ApiRoute } from '../contract';

/** Every route of the Stability page, with who may call it, in the form of `API_ROUTES`. */
export const ADMIN_ROUTES: readonly ApiRoute[] = [];
