import type { Manifest } from './manifest';

/**
 * How far migrations had brought the schema of an archive, for people: by the record of another tool, where there is one, else
 * the last migration of the platform.
 */
export function schemaVersionOf(manifest: Manifest): string | null {
  const others = recordsOfOtherTools(manifest);
  // Where another tool makes the tables, the platform's own migrations say nothing about them.
  return others.length > 0 ? others.join(', ') : (manifest.migrations.at(-1)?.name ?? null);
}

/** Whether two archives name the same migrations, of the platform and of every other tool. */
export function haveSameVersions(one: Manifest, other: Manifest): boolean {
  return JSON.stringify(recordsOf(one)) === JSON.stringify(recordsOf(other));
}

function recordsOf(manifest: Manifest): readonly string[] {
  return [...manifest.migrations.map(({ name }) => name), ...recordsOfOtherTools(manifest)];
}

function recordsOfOtherTools(manifest: Manifest): readonly string[] {
  if (manifest.version === 1) return [];
  return (manifest.schemaVersions ?? []).map(({ tool, version }) => `${tool} ${version}`);
}
