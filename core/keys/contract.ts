/** What a key of the HTTP API allows. `admin` allows everything, in every project. */
export const SCOPES = ['entitlements:read', 'metrics:read', 'bitcoin:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Id of a key: its public part, `bok_<id>_<secret>`. */
export const API_KEY_ID = /^[0-9A-Za-z]{12}$/;

/** Role of PostgreSQL that the sessions of the API take; a migration creates it. */
export const API_DATABASE_ROLE = 'billing_api';

/** How a function finds the secret under which keys are hashed. */
export interface ApiKeyEnvironment {
  /** Secret with JSON `{"current": …}`. Another value makes every key invalid. */
  readonly API_KEY_SECRET_ARN: string;
}
