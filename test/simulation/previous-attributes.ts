type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The former values of what changed, as Stripe sends them: nested as in the object, an array as a whole, null for a field
 * that was not there. `undefined` when nothing changed.
 */
export function previousAttributes(before: object, after: object): Record<string, unknown> | undefined {
  const [was, is] = [before as JsonObject, after as JsonObject];
  const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((key): [string, unknown][] => {
    const [old, now] = [was[key] ?? null, is[key] ?? null];
    if (isObject(old) && isObject(now)) {
      const nested = previousAttributes(old, now);
      return nested === undefined ? [] : [[key, nested]];
    }
    return JSON.stringify(old) === JSON.stringify(now) ? [] : [[key, old]];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}
