import type { ReusableConnection } from '../../core/database/reusable-connection';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import type { ProviderName } from '../../core/providers/contract';
import type { BitcoinNetwork } from '../../core/providers/bitcoin/contract';
import type { RequestLimit } from '../../core/keys/request-limit';
import type { Log } from '../../core/runtime/telemetry';

/** Functions that the API asks, by the requests of their contracts. */
export type AskedFunction = 'audit' | 'entitlements' | 'inspect' | 'replay';

/** How an environment takes payments in bitcoin. */
export interface BitcoinSettings {
  readonly network: BitcoinNetwork;
  /** Of payments that ask for no number of their own. */
  readonly confirmations: number;
}

/** What the API works with. */
export interface ApiDependencies {
  /** The billing database, as the role `billing_api`. */
  readonly database: ReusableConnection;
  readonly cache: EntitlementCache;
  /** The secret that keys are hashed under. */
  readonly keySecret: () => Promise<string>;
  /** Of each key. */
  readonly requestLimit: RequestLimit;
  /**
   * Asks another function.
   *
   * @param signal ends the wait for its answer; the function goes on
   * @returns its report, whose form the caller checks
   * @throws Problem 503 when all of its instances are at work; what the function threw
   */
  readonly ask: (stem: AskedFunction, request: object, signal?: AbortSignal) => Promise<unknown>;
  /** Whether the environment sends itself canary events. */
  readonly hasCanary: boolean;
  /** Providers whose webhooks the environment takes. */
  readonly providers: readonly ProviderName[];
  /** Payments in bitcoin. `undefined` where the environment takes none. */
  readonly bitcoin: BitcoinSettings | undefined;
  readonly clock: () => Date;
  readonly log: Log;
}
