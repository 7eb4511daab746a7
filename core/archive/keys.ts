import type { DatabaseName } from '../contract';
import { type Slot, slotToKey } from './slot';

const PART_LIST = 'parts.json';

/**
 * Layout of the archive bucket:
 *
 *     archives/<database>/<slot>/manifest.json                                     written last; no manifest, no archive
 *     archives/<database>/<slot>/<attempt>/manifest.sig                            signature of the manifest that names the attempt
 *     archives/<database>/<slot>/<attempt>/parts.json                              keys that the attempt is going to write
 *     archives/<database>/<slot>/<attempt>/plan.json                               what parts are copied by, of a still database
 *     archives/<database>/<slot>/<attempt>/schema/before.sql.zst, after.sql.zst    schema of one attempt
 *     archives/<database>/<slot>/<attempt>/<schema>.<table>/<part>.copy.zst        data of one attempt
 *     archives/<database>/<slot>/<attempt>/<schema>.<table>/<part>.json            what was copied, of a still database
 *
 * A slot that was attempted twice has the data of both attempts; the manifest names the objects of the one that counts.
 */
export function databasePrefix(database: DatabaseName): string {
  return `archives/${database}/`;
}

export function slotPrefix(database: DatabaseName, slot: Slot): string {
  return `${databasePrefix(database)}${slotToKey(slot)}/`;
}

/** Prefix of the data of one attempt at a slot. */
export function attemptPrefix(database: DatabaseName, slot: Slot, attempt: string): string {
  return `${slotPrefix(database, slot)}${attempt}/`;
}

export function manifestKey(database: DatabaseName, slot: Slot): string {
  return `${slotPrefix(database, slot)}manifest.json`;
}

/** Key of the signature of an attempt's manifest. */
export function signatureKey(database: DatabaseName, slot: Slot, attempt: string): string {
  return `${attemptPrefix(database, slot, attempt)}manifest.sig`;
}

/** Key of the list of parts that an attempt is going to write, in the order in which it begins them. */
export function partListKey(database: DatabaseName, slot: Slot, attempt: string): string {
  return `${attemptPrefix(database, slot, attempt)}${PART_LIST}`;
}

/** Whether a key is that of a list of parts. */
export function isPartList(key: string): boolean {
  return key.endsWith(`/${PART_LIST}`);
}

export function partKey(
  database: DatabaseName,
  slot: Slot,
  attempt: string,
  table: { readonly schema: string; readonly name: string },
  part: number,
): string {
  const folder = `${encodeName(table.schema)}.${encodeName(table.name)}`;
  return `${attemptPrefix(database, slot, attempt)}${folder}/${String(part).padStart(5, '0')}.copy.zst`;
}

/** Key of the plan by which the parts of a still database are copied, each by a call of its own. */
export function planKey(database: DatabaseName, slot: Slot, attempt: string): string {
  return `${attemptPrefix(database, slot, attempt)}plan.json`;
}

/** Key of the record of a part of a still database: what was copied. */
export function partRecordKey(key: string): string {
  return key.replace(/\.copy\.zst$/, '.json');
}

/** Key of the SQL to run before the rows are loaded, or after them. No folder of a table lacks the dot. */
export function schemaKey(database: DatabaseName, slot: Slot, attempt: string, section: 'before' | 'after'): string {
  return `${attemptPrefix(database, slot, attempt)}schema/${section}.sql.zst`;
}

/** Large objects and their pieces are archived like tables, under names that no table of an application has. */
export const LARGE_OBJECTS = { schema: 'pg_catalog', name: 'pg_largeobject_metadata' } as const;
export const LARGE_OBJECT_PIECES = { schema: 'pg_catalog', name: 'pg_largeobject' } as const;

/**
 * A PostgreSQL name as part of a key: letters, digits, `_` and `-` stay, every other byte of its UTF-8 becomes `=` and
 * two hex digits. A name with a slash, a dot or a space cannot change the layout, and no two names share a key.
 */
export function encodeName(name: string): string {
  return Array.from(Buffer.from(name, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}
