import { InvalidRequestError } from '../runtime/errors';
import { LONGEST_OWN_ID } from './contract';

/** Owner of objects whose metadata names none. */
export interface StateDefaults {
  readonly appId: string | null;
  readonly projectId: string | null;
}

export const NO_DEFAULTS: StateDefaults = { appId: null, projectId: null };

/** The defaults in a function's settings; empty text means none. */
export function stateDefaults(environment: { DEFAULT_APP_ID: string; DEFAULT_PROJECT_ID: string }): StateDefaults {
  return { appId: environment.DEFAULT_APP_ID || null, projectId: environment.DEFAULT_PROJECT_ID || null };
}

/**
 * An id that the application gave at the provider; null for none.
 *
 * @param field what the error names
 * @throws InvalidRequestError when it is too long to be stored
 */
export function ownId(field: string, id: string | null | undefined): string | null {
  // In UTF-8 a character takes three bytes for each unit of its length, at most.
  if (id && id.length > LONGEST_OWN_ID / 3) {
    const bytes = Buffer.byteLength(id);
    if (bytes > LONGEST_OWN_ID) {
      throw new InvalidRequestError(`${field}: expected an id of at most ${LONGEST_OWN_ID} bytes, received ${bytes}`);
    }
  }
  return id ?? null;
}

type Metadata = Readonly<Record<string, string | null>> | null | undefined;

/** The owner columns that the object itself leaves to the defaults; null for none. */
export function defaultedColumns(metadata: Metadata, defaults: StateDefaults): string[] | null {
  const columns = [
    ...(defaults.appId !== null && !metadata?.app_id ? ['app_id'] : []),
    ...(defaults.projectId !== null && !metadata?.project_id ? ['project_id'] : []),
  ];
  return columns.length === 0 ? null : columns;
}

/**
 * The owner columns of an object, from the metadata that the application gave it at the provider.
 *
 * @param metadata the object's own and those of objects that it belongs to; for each column the first that names it counts
 * @throws InvalidRequestError when an id is too long to be stored
 */
export function ownerOf(metadata: readonly Metadata[], defaults: StateDefaults) {
  const first = (key: string) => ownId(`metadata.${key}`, metadata.find((candidate) => candidate?.[key])?.[key]);
  return {
    app_id: first('app_id') ?? defaults.appId,
    project_id: first('project_id') ?? defaults.projectId,
    user_id: first('user_id'),
  };
}
