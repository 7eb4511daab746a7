import { checkPermissions, listDeliveryEndpoints } from '../../core/providers/stripe/check-access';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { STRIPE_API_VERSION } from '../../core/providers/stripe/event-labels';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { OperationError } from '../../core/runtime/errors';
import type { CheckReport } from './contract';

/** Whether Stripe lets the platform read what it reads, and delivers what it handles. */
export async function checkStripe({ stripe, call }: Pick<StripeWork, 'stripe' | 'call'>): Promise<CheckReport> {
  const permissions = await checkPermissions(stripe, call);
  const endpoints = await listDeliveryEndpoints(stripe, call).catch((error: unknown) => {
    // An answer too: the permission to read endpoints is of use to this check only.
    if (error instanceof OperationError && error.code === 'stripe_refused') return null;
    throw error;
  });
  return {
    action: 'check',
    apiVersion: STRIPE_API_VERSION,
    permissions,
    endpoints:
      endpoints?.map(({ types, ...endpoint }) => ({
        ...endpoint,
        missing: types.includes('*') ? [] : ENDPOINT_EVENT_TYPES.filter((type) => !types.includes(type)),
      })) ?? null,
  };
}
