import type { Provider } from '../../core/billing/provider';
import type { QueuedProvider } from '../../core/providers/queued-provider';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { stripeEvent } from './stripe-objects';

/** An event of a provider that carries the object itself as `data`, as Tilled does. */
export interface OtherEvent {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly data: object;
}

const asStripe = ({ id, created, data }: OtherEvent): StripeEvent =>
  stripeEvent('payment_intent.succeeded', data as never, { id, created });

/** A second provider, whose objects are as Stripe's and whose events are not. */
export const otherProvider: Provider<OtherEvent> = {
  name: 'other',
  objectPath: ['data'],
  identify: (event) => ({ ...stripeProvider.identify(asStripe(event)), apiVersion: null }),
  toStorable: (event) => event,
  effectsOf: (event, defaults) => stripeProvider.effectsOf(asStripe(event), defaults),
};

/** The same, as the processor takes it. */
export const queuedOther: QueuedProvider<OtherEvent> = {
  provider: otherProvider,
  readEvent: (value) => value as OtherEvent,
  signalsOf: () => ({ driftedVersion: 'other' }),
};
