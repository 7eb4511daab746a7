import { OTHER } from '../bounded-names';
import { isHandled } from './event-effect';
import type { StripeEvent } from './shapes';

/** The API version that the platform is written for; the shapes of older ones are supported as well. */
export const STRIPE_API_VERSION = '2026-10-28.endive';

/** The event's type when the endpoint is subscribed to it, otherwise `other`. */
export function typeLabel(type: string): string {
  return isHandled(type) ? type : OTHER;
}

/** The app that an event's object names in its metadata, or in the metadata of an invoice's subscription. */
export function appOf(event: StripeEvent, defaultAppId: string | null): string | null {
  const { object } = event.data;
  const holders = [object, field(object.parent, 'subscription_details'), object.subscription_details];
  for (const holder of holders) {
    const appId = field(field(holder, 'metadata'), 'app_id');
    if (typeof appId === 'string' && appId !== '') return appId;
  }
  return defaultAppId;
}

/** The price, or in old shapes the plan, of a subscription's first item. */
export function planOf(event: StripeEvent): string | null {
  const items = field(event.data.object.items, 'data');
  const first: unknown = Array.isArray(items) ? items[0] : undefined;
  const plan = field(field(first, 'price') ?? field(first, 'plan'), 'id');
  return typeof plan === 'string' ? plan : null;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
