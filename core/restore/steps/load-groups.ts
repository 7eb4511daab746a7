import { type ArchivedTable, contentsOf, type Manifest } from '../../archive/manifest';
import { LARGE_OBJECTS } from '../../archive/keys';
import type { TableLoad } from '../load-plan';

/**
 * Bytes of COPY text that one call loads. At 20 MB/s, which one connection loads into a small server, that takes a minute;
 * it fits into one call down to 1.3 MB/s.
 */
const GROUP_BYTES = 1024 ** 3;
/** Groups of a restore: their numbers have to fit into the 256 KiB that a state of Step Functions may have. */
const MOST_GROUPS = 20_000;

/**
 * Divides what is loaded among calls, in the same way each time: small tables together, the parts of large ones apart. Rows of
 * extensions and the list of large objects are loaded beforehand.
 */
export function planGroups(manifest: Manifest, groupBytes = GROUP_BYTES): readonly (readonly TableLoad[])[] {
  const contents = contentsOf(manifest).filter(isLoadedByGroup);
  const total = contents.reduce((sum, { bytes }) => sum + bytes, 0);
  const limit = Math.max(groupBytes, total / MOST_GROUPS);
  const groups: TableLoad[][] = [];
  let [open, bytes]: [TableLoad[] | undefined, number] = [undefined, 0];
  for (const load of contents.flatMap((table) => loadsOf(table, limit))) {
    if (!open || bytes + load.bytes > limit) {
      [open, bytes] = [[], 0];
      groups.push(open);
    }
    open.push(load);
    bytes += load.bytes;
  }
  return groups;
}

function isLoadedByGroup({ extension, schema, name }: ArchivedTable): boolean {
  return extension === undefined && !(schema === LARGE_OBJECTS.schema && name === LARGE_OBJECTS.name);
}

/** A table as a whole, which is quicker, as long as it fits into a call. */
function loadsOf(table: ArchivedTable, limit: number): TableLoad[] {
  if (table.bytes <= limit) return [{ table, parts: table.parts, bytes: table.bytes }];
  return table.parts.map((part) => ({ table, parts: [part], bytes: part.bytes }));
}
