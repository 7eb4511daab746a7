import type { Statement } from '../../core/database/transaction';

/** Never the digest: it leaves the database only to be compared. */
const COLUMNS = `id, name, scopes, projects, created_at, created_by, expires_at, revoked_at, revoked_by, rotated_to, last_used_at,
  CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'active' END AS state`;

export const LIST_KEYS: Statement = {
  name: 'list_api_keys',
  text: `SELECT ${COLUMNS} FROM billing.api_keys ORDER BY created_at DESC, id LIMIT 1000`,
};

export const FIND_KEY: Statement = {
  name: 'lock_api_key',
  text: `SELECT ${COLUMNS} FROM billing.api_keys WHERE id = $1 FOR UPDATE`,
};

export const INSERT_KEY: Statement = {
  name: 'insert_api_key',
  text: `INSERT INTO billing.api_keys (id, name, digest, scopes, projects, expires_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
};

/** Ends a key when the overlap is over, never later than before. */
export const EXPIRE_KEY: Statement = {
  name: 'expire_api_key',
  text: `UPDATE billing.api_keys SET expires_at = least(expires_at, now() + make_interval(hours => $2::int)), rotated_to = $3
         WHERE id = $1 RETURNING ${COLUMNS}`,
};

export const REVOKE_KEY: Statement = {
  name: 'revoke_api_key',
  text: `UPDATE billing.api_keys SET revoked_at = now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL
         RETURNING ${COLUMNS}`,
};
