import type { DumpEntry } from './dump-text';

/** Properties of other objects: their names begin with the kind of object that has them. */
const PROPERTY = /^(?:ACL|COMMENT|OWNER|SECURITY LABEL)$/;

/** What an entry is about: `TABLE app.orders`, `ACL of TABLE app.orders`. */
export function describeEntry({ type, schema, name }: Pick<DumpEntry, 'type' | 'schema' | 'name'>): string {
  if (name.startsWith(`${type} `) || type.startsWith('PUBLICATION '))
    return `${type} ${name}`.replace(`${type} ${type}`, type);
  const holder = schema === undefined ? '' : `${schema}.`;
  const kind = PROPERTY.test(type) ? /^(?:[A-Z]+ )+/.exec(name)?.[0] : undefined;
  return kind === undefined ? `${type} ${holder}${name}` : `${type} of ${kind}${holder}${name.slice(kind.length)}`;
}
