import { startKeyManagement } from '../aws/key-management';
import { startObjectStoreAndQueue, type ObjectStoreAndQueue } from '../aws/object-store-and-queue';
import { startSecretsManager, type SecretsManager } from '../aws/secrets-manager';
import { startSecurityTokenService } from '../aws/security-token';
import type { HttpServer } from '../runtime/http-server';
import type { Teardown } from '../runtime/teardown';
import { startStripeStandIn, type StripeStandIn } from '../stripe/stand-in';
import { startTilledStandIn, type TilledStandIn } from '../tilled/stand-in';

/** What stands in for services that the functions call, each on a port of its own. */
export interface Services {
  readonly store: ObjectStoreAndQueue;
  readonly secrets: SecretsManager;
  readonly kms: HttpServer;
  readonly sts: HttpServer;
  /** Undefined when the real Stripe is used. */
  readonly stripe: StripeStandIn | undefined;
  readonly tilled: TilledStandIn;
}

/**
 * Starts them.
 *
 * @param tilledKey key that the stand-in for Tilled takes
 * @param stripeKey key that the stand-in for Stripe takes; undefined when the real Stripe is used
 */
export async function startServices(
  tilledKey: string,
  stripeKey: string | undefined,
  teardown: Teardown,
): Promise<Services> {
  const store = await startObjectStoreAndQueue();
  teardown.add(() => store.stop());
  const secrets = await startSecretsManager();
  teardown.add(() => secrets.stop());
  const kms = await startKeyManagement();
  teardown.add(() => kms.stop());
  const sts = await startSecurityTokenService();
  teardown.add(() => sts.stop());
  const stripe = stripeKey === undefined ? undefined : await startStripeStandIn({ apiKey: stripeKey });
  if (stripe !== undefined) teardown.add(() => stripe.stop());
  const tilled = await startTilledStandIn({ apiKey: tilledKey });
  teardown.add(() => tilled.stop());
  return { store, secrets, kms, sts, stripe, tilled };
}
