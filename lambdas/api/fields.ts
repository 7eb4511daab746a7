import * as z from 'zod';

/** Parts of a request that have fields. */
type Part = 'body' | 'path' | 'query';

const HOLDERS: Readonly<Record<Part, string>> = {
  body: 'a JSON object whose fields are',
  path: 'a path whose parameters are',
  query: 'a query whose parameters are',
};

/**
 * A strict object whose refusal says which fields there are. It does not say which were sent: nothing of a request is repeated.
 */
export function fieldsOf<Shape extends z.core.$ZodLooseShape>(
  part: Part,
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const names = Object.keys(shape).map((name) => `\`${name}\``);
  return z.strictObject(shape, { error: `expected ${HOLDERS[part]} ${listed(names)}, and no other` });
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
