import type { ApiRoute } from '../contract';

const view = (name: string): ApiRoute => ({
  method: 'GET',
  path: `/admin/view/${name}`,
  access: 'admin',
  perSecond: 50,
});

/** Every route of the Stability page, with who may call it, in the form of `API_ROUTES`. What is public holds no data. */
export const ADMIN_ROUTES: readonly ApiRoute[] = [
  { method: 'GET', path: '/admin', access: 'public', perSecond: 20 },
  { method: 'GET', path: '/admin/page.js', access: 'public', perSecond: 50 },
  { method: 'GET', path: '/admin/style.css', access: 'public', perSecond: 50 },
  view('overview'),
  view('events'),
  view('event/{id}'),
  view('payments'),
  view('backups'),
  view('reconciliation'),
  view('entitlements'),
  view('bitcoin'),
  { method: 'POST', path: '/admin/retry', access: 'admin', perSecond: 5 },
];
