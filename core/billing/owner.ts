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

type Metadata = Readonly<Record<string, string>> | null | undefined;

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
 */
export function ownerOf(metadata: readonly Metadata[], defaults: StateDefaults) {
  const first = (key: string) => metadata.find((candidate) => candidate?.[key])?.[key];
  return {
    app_id: first('app_id') ?? defaults.appId,
    project_id: first('project_id') ?? defaults.projectId,
    user_id: first('user_id') ?? null,
  };
}
