/** The part of a JSON schema that names settings. */
interface SettingsSchema {
  readonly properties?: Readonly<Record<string, SettingsSchema>>;
  readonly items?: SettingsSchema;
  readonly anyOf?: readonly SettingsSchema[];
  readonly oneOf?: readonly SettingsSchema[];
}

/** Letters that may differ for a name to be taken for a misspelt one. More would suggest what was never meant. */
const MAX_DISTANCE = 2;

/**
 * The setting that a misspelt name in a group stands for; `undefined` where none is close.
 *
 * @param path of the group, with indices of lists
 */
export function suggestSetting(schema: object, path: readonly string[], name: string): string | undefined {
  const distances = settingsAt([schema], path).map((known) => [known, distance(known, name)] as const);
  const [closest] = distances.toSorted(([, a], [, b]) => a - b);
  return closest && closest[1] <= MAX_DISTANCE ? closest[0] : undefined;
}

function settingsAt(schemas: readonly SettingsSchema[], path: readonly string[]): string[] {
  const groups = schemas.flatMap((schema) => [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]);
  const [name, ...rest] = path;
  if (name === undefined) return groups.flatMap(({ properties }) => Object.keys(properties ?? {}));
  return settingsAt(
    groups.flatMap(({ properties, items }) => properties?.[name] ?? items ?? []),
    rest,
  );
}

/** Letters to add, drop or replace to make one name the other, whatever their case. */
function distance(a: string, b: string): number {
  const [one, other] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(one).entries()) {
    const next = [index + 1];
    for (const [column, against] of Array.from(other).entries()) {
      const replaced = (row[column] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
