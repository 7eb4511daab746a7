const EXPRESSION = /^\{% ([\s\S]*) %\}$/;

/** A value as JSONata: `{% … %}` in it, however deep, as what is between. */
export function jsonata(value: unknown): string {
  if (typeof value === 'string') return EXPRESSION.exec(value)?.[1] ?? `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(jsonata).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).flatMap(([name, inner]) =>
    inner === undefined ? [] : [`'${name}': ${jsonata(inner)}`],
  );
  return `{${fields.join(', ')}}`;
}

/** Arguments of a call: an object, or JSONata of one, with further fields. */
export type Arguments = string | Readonly<Record<string, unknown>>;

/** Arguments with further fields, which come last. */
export function withFields(given: Arguments, fields: Readonly<Record<string, unknown>>): Arguments {
  return typeof given === 'string' ? `{% $merge([${jsonata(given)}, ${jsonata(fields)}]) %}` : { ...given, ...fields };
}
