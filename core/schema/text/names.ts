const PART = /"((?:[^"]|"")*)"|([^\s".(;,]+)/y;

/** A name as SQL text has it: its parts without quotes, and where it ends. */
export interface ParsedName {
  readonly parts: readonly string[];
  readonly end: number;
}

/** Reads `schema."name"` at a position of SQL text; `undefined` when there is no name. */
export function parseName(sql: string, at: number): ParsedName | undefined {
  const parts: string[] = [];
  let end = at;
  for (;;) {
    PART.lastIndex = end;
    const part = PART.exec(sql);
    if (!part) return undefined;
    parts.push(part[1]?.replaceAll('""', '"') ?? part[2] ?? '');
    end = PART.lastIndex;
    if (sql.charAt(end) !== '.') return { parts, end };
    end += 1;
  }
}

const OWNER_STATEMENT = /^ALTER .+ OWNER TO ("(?:[^"]|"")+"|[\w$\u0080-\uffff]+);$/s;

/** The role that a statement gives an object to; `undefined` for other statements. */
export function newOwner(statement: string): string | undefined {
  const owner = OWNER_STATEMENT.exec(statement)?.[1];
  return owner === undefined ? undefined : parseName(owner, 0)?.parts[0];
}

/** The schema of the object that an ALTER statement is about; `undefined` for objects outside of schemas. */
export function schemaOfAltered(statement: string): string | undefined {
  // Names have capital letters only in quotes.
  const kind = /^ALTER (?:[A-Z]+ )+/.exec(statement)?.[0] ?? '';
  const parts = parseName(statement, kind.length)?.parts ?? [];
  return parts.length > 1 ? parts[0] : undefined;
}
