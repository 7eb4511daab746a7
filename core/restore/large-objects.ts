import type { Client } from 'pg';
import { LARGE_OBJECT_PIECES, LARGE_OBJECTS } from '../archive/keys';
import type { ArchivedPart, ArchivedTable } from '../archive/manifest';
import type { Deviations } from '../schema/apply/deviations';
import { loadPart } from './load-part';
import type { VerifiedObjects } from './verified-objects';

/** Tables of the session that large objects are loaded through, with the names of the archived ones. */
const METADATA = `CREATE TEMPORARY TABLE ${LARGE_OBJECTS.name} (id oid, owner name, grants jsonb, comment text)`;
const PIECES = `CREATE TEMPORARY TABLE ${LARGE_OBJECT_PIECES.name} (id oid, "offset" bigint, data bytea)`;
const REFUSED = 'CREATE TEMPORARY TABLE refused (id oid, what text, message text)';
const { signal: NEVER } = new AbortController();

/** Large objects made in one transaction, which holds a lock for each. */
const OBJECTS_AT_ONCE = 1_000;

/**
 * Makes every large object with its comment, its privileges and its owner, in this order: only an owner may do the others.
 * What the restoring role may not do is noted.
 */
const MAKE = `DO $make$
DECLARE
  object record;
  one record;
  made int := 0;
BEGIN
  FOR object IN SELECT id, owner, grants, comment FROM pg_temp.${LARGE_OBJECTS.name} LOOP
    IF object.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', object.id, object.comment);
    END IF;
    BEGIN
      -- What the owner may not do itself; ownership takes the rest along.
      FOR one IN SELECT p AS privilege FROM unnest(ARRAY['SELECT', 'UPDATE']) AS p
                 WHERE object.grants IS NOT NULL
                   AND NOT object.grants @> jsonb_build_array(jsonb_build_object('grantee', object.owner, 'privilege', p)) LOOP
        EXECUTE format('REVOKE %s ON LARGE OBJECT %s FROM CURRENT_USER', one.privilege, object.id);
      END LOOP;
      FOR one IN SELECT * FROM jsonb_to_recordset(object.grants) AS a (grantee text, privilege text, grantable boolean)
                 WHERE grantee IS DISTINCT FROM object.owner LOOP
        IF one.privilege IN ('SELECT', 'UPDATE') THEN
          EXECUTE format('GRANT %s ON LARGE OBJECT %s TO %s%s', one.privilege, object.id,
            CASE WHEN one.grantee IS NULL THEN 'PUBLIC' ELSE quote_ident(one.grantee) END,
            CASE WHEN one.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END IF;
      END LOOP;
      EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', object.id, object.owner);
    EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
      INSERT INTO pg_temp.refused VALUES (object.id, 'owner and privileges are not set', SQLERRM);
    END;
    made := made + 1;
    IF made % ${OBJECTS_AT_ONCE} = 0 THEN COMMIT; END IF;
  END LOOP;
END $make$`;

const CREATE = `DO $create$
DECLARE
  object record;
  made int := 0;
BEGIN
  FOR object IN SELECT id FROM pg_temp.${LARGE_OBJECTS.name} LOOP
    PERFORM lo_create(object.id);
    made := made + 1;
    IF made % ${OBJECTS_AT_ONCE} = 0 THEN COMMIT; END IF;
  END LOOP;
END $create$`;

/**
 * Loads the large objects of an archive into a new database, under their ids.
 *
 * @param client connection with the settings of COPY, outside of a transaction
 * @throws OperationError as {@link loadPart} does
 */
export async function loadLargeObjects(
  objects: VerifiedObjects,
  client: Client,
  tables: readonly ArchivedTable[],
  deviations: Deviations,
): Promise<void> {
  const [metadata, pieces] = tables;
  if (!metadata || !pieces) return;
  await createLargeObjects(objects, client, metadata);
  for (const part of pieces.parts) await loadPieces(objects, client, pieces, part);
  await describeLargeObjects(objects, client, metadata, deviations);
}

/** Creates the objects, empty. @throws OperationError as {@link loadPart} does */
export async function createLargeObjects(
  objects: VerifiedObjects,
  client: Client,
  metadata: ArchivedTable,
): Promise<void> {
  await loadMetadata(objects, client, metadata);
  await client.query(CREATE);
  await client.query(`DROP TABLE pg_temp.${LARGE_OBJECTS.name}`);
}

/** Writes the bytes that one part has. Repeating it changes nothing. @throws OperationError as {@link loadPart} does */
export async function loadPieces(
  objects: VerifiedObjects,
  client: Client,
  pieces: ArchivedTable,
  part: ArchivedPart,
): Promise<void> {
  await client.query(PIECES);
  await loadPart(objects, client, { ...pieces, schema: 'pg_temp' }, part, { signal: NEVER });
  await client.query(`SELECT count(lo_put(id, "offset", data)) FROM pg_temp.${LARGE_OBJECT_PIECES.name}`);
  await client.query(`DROP TABLE pg_temp.${LARGE_OBJECT_PIECES.name}`);
}

/** Gives the objects their comments, privileges and owners. @throws OperationError as {@link loadPart} does */
export async function describeLargeObjects(
  objects: VerifiedObjects,
  client: Client,
  metadata: ArchivedTable,
  deviations: Deviations,
): Promise<void> {
  await loadMetadata(objects, client, metadata);
  await client.query(REFUSED);
  await client.query(MAKE);
  const refused = await client.query<{ id: string; what: string; message: string }>(
    'SELECT id::text, what, message FROM pg_temp.refused ORDER BY id',
  );
  for (const { id, what, message } of refused.rows) deviations.add(`LARGE OBJECT ${id}`, what, message);
  await client.query(`DROP TABLE pg_temp.${LARGE_OBJECTS.name}, pg_temp.refused`);
}

async function loadMetadata(objects: VerifiedObjects, client: Client, metadata: ArchivedTable): Promise<void> {
  await client.query(METADATA);
  for (const part of metadata.parts) {
    await loadPart(objects, client, { ...metadata, schema: 'pg_temp' }, part, { signal: NEVER });
  }
}
