/** What stands in a record for the row of a card that an erasure forgot. */
export const ERASED_ROW = 'erased';

/** SQL of the result of a scan for cards with the row of each finding forgotten: its key may name a user. */
export const forgettingRows = (result: string): string =>
  `jsonb_set(${result}, '{findings}', (SELECT coalesce(jsonb_agg(finding || '{"row": "${ERASED_ROW}"}'), '[]')
    FROM jsonb_array_elements(${result}->'findings') AS finding))`;

/**
 * Forgets the rows in which scans found card numbers. Table and page stay, so that the next scan looks there again. A scan under way is
 * marked by its `error`, for it has rows in memory that it has not recorded yet.
 */
export const FORGET_CARD_ROWS = `UPDATE operations.maintenance_runs SET result = ${forgettingRows('result')},
    error = CASE outcome WHEN 'running' THEN 'An erasure forgot the rows of findings' ELSE error END
  WHERE task = 'cards' AND (outcome = 'running' AND error IS NULL
    OR jsonb_path_exists(result, '$.findings[*] ? (@.row != "${ERASED_ROW}")'))`;
