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
