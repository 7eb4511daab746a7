import { WEBHOOK_ENDPOINTS, type ProviderName, type WebhookEndpoint } from '../../core/providers/contract';
import type { EnvironmentConfig } from './environment-schema';

/** The endpoints of the providers that an environment takes. */
export function webhookEndpointsOf({
  tilled,
}: Pick<EnvironmentConfig, 'tilled'>): readonly (WebhookEndpoint & { readonly provider: ProviderName })[] {
  const providers: readonly ProviderName[] = tilled ? ['stripe', 'tilled'] : ['stripe'];
  return providers.map((provider) => ({ provider, ...WEBHOOK_ENDPOINTS[provider] }));
}
