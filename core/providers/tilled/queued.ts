import type { EventSignals, QueuedProvider } from '../queued-provider';
import { appOf } from './labels';
import { priceOf } from './party-states';
import { familyOf, tilledProvider } from './provider';
import { check, readEvent, subscriptionShape, type TilledEvent } from './shapes';

/** Tilled, as the processor takes it. */
export const queuedTilled: QueuedProvider<TilledEvent> = { provider: tilledProvider, readEvent, signalsOf };

function signalsOf(event: TilledEvent, defaultAppId: string | null): EventSignals {
  const { type, data } = event;
  if (type === 'subscription.created' || type === 'subscription.canceled') {
    const plan = priceOf(check(subscriptionShape, data, 'subscription'));
    const change = type === 'subscription.created' ? 'created' : 'canceled';
    return { subscription: { change, app: appOf(event) ?? defaultAppId, plan } };
  }
  if (familyOf(type) !== 'account') return {};
  const restricted = tilledProvider
    .effectsOf(event, { appId: null, projectId: null })
    .some((state) => state.kind === 'account' && state.restricted);
  return { restrictedAccount: restricted };
}
