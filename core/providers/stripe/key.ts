import { HeldSecret } from '../../runtime/held-secret';
import type { Secrets, SecretVersion } from '../../runtime/secrets';
import { assertKeyMode, stripeApiSecret } from './client';

/**
 * The API key, which is replaced by the current one when Stripe refuses it: it was rolled, perhaps while a long run was under way.
 *
 * @param version of the secret to begin with. A pending one is never replaced: it is being proven, and no other may answer for it.
 * @throws ConfigurationError when the key is not of this environment's mode; Stripe was not called
 */
export async function openStripeKey(
  secrets: Secrets,
  { secretArn, livemode }: { readonly secretArn: string; readonly livemode: boolean },
  version: SecretVersion = 'cached',
): Promise<HeldSecret<string>> {
  const read = async (which: SecretVersion): Promise<string> => {
    const { apiKey } = await secrets.read(secretArn, stripeApiSecret, which);
    assertKeyMode(apiKey, { livemode, secretArn });
    return apiKey;
  };
  return new HeldSecret(await read(version), async (refused) => {
    const current = version === 'pending' ? refused : await read('current');
    return current === refused ? undefined : current;
  });
}
