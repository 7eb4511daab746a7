import type { SQSRecord } from 'aws-lambda';
import { STRIPE } from './stripe/name';

/**
 * Attribute of a queue message that names the provider of the event in the body. The endpoint's path decides it, so the
 * body stays the bytes that the provider signed.
 */
export const PROVIDER_ATTRIBUTE = 'provider';

/** Messages without the attribute were queued when Stripe was the only provider. */
const DEFAULT_PROVIDER = STRIPE;

/** The provider of a message that Lambda received. */
export function providerOf({ messageAttributes }: Partial<Pick<SQSRecord, 'messageAttributes'>>): string {
  return providerNamed(messageAttributes?.[PROVIDER_ATTRIBUTE]?.stringValue);
}

/** The provider by the value of the attribute, which Lambda and SQS's own API hand out under different names. */
export function providerNamed(value: string | undefined): string {
  return value ?? DEFAULT_PROVIDER;
}
