import type { ClientBase } from 'pg';
import type { Statement } from '../../core/database/transaction';
import { OperationError } from '../../core/runtime/errors';
import type { AssignReport, CheckedEntitlementsRequest } from './contract';
import { recomputeBatch, type RecomputeDependencies } from './recompute';

export type Assignment = Omit<Extract<CheckedEntitlementsRequest, { readonly action: 'assign' }>, 'action'>;

interface SourceRow {
  readonly source: 'subscription' | 'purchase';
  readonly mode: string | null;
  readonly user_id: string | null;
  readonly project_id: string | null;
  readonly app_id: string | null;
}

const FIND_SOURCE = `
SELECT 'subscription' AS source, NULL AS mode,
       owner_user_id AS user_id, owner_project_id AS project_id, owner_app_id AS app_id
FROM billing.owned_subscriptions WHERE id = $1
UNION ALL
SELECT 'purchase', mode, owner_user_id, owner_project_id, owner_app_id FROM billing.owned_purchases WHERE id = $1`;

/**
 * Replaces the assignment of an object, and keeps every one that was ever made. $1: object, $2 to $4: app, project and user,
 * $5: reason, $6: who assigned it.
 */
const ASSIGN_OWNER: Statement = {
  name: 'assign_owner',
  text: `
WITH recorded AS (
  INSERT INTO billing.owner_assignment_log (object_id, app_id, project_id, user_id, reason, assigned_by)
  VALUES ($1, $2, $3, $4, $5, $6)
)
INSERT INTO billing.owner_assignments (object_id, app_id, project_id, user_id, reason, assigned_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (object_id) DO UPDATE
SET app_id = excluded.app_id, project_id = excluded.project_id, user_id = excluded.user_id, reason = excluded.reason,
    assigned_by = excluded.assigned_by, assigned_at = now()`,
};

/**
 * Assigns a subscription or a purchase to an owner, and computes what it grants. It counts before everything that metadata
 * say; a field that is left out stays as they say.
 *
 * @throws OperationError `source_not_found`; `source_belongs_to_subscription` for the session of a subscription
 */
export async function assignOwner(
  { client, cache, log }: RecomputeDependencies,
  { dryRun, objectId, reason, by, ...owner }: Assignment,
): Promise<AssignReport> {
  const { source, previous } = await findSource(client, objectId);
  const { userId = null, projectId = null, appId = null } = owner;
  const changes = await recomputeBatch(client, [objectId], {
    dryRun,
    change: (run) => run(ASSIGN_OWNER, [objectId, appId, projectId, userId, reason, by]),
  });
  if (!dryRun) {
    await cache.invalidate(changes);
    log.info('An owner was assigned', { objectId, userId, projectId, appId, reason, by });
  }
  return {
    dryRun,
    objectId,
    source,
    previous,
    owner: {
      userId: userId ?? previous.userId,
      projectId: projectId ?? previous.projectId,
      appId: appId ?? previous.appId,
    },
    changed: changes.length,
  };
}

async function findSource(client: ClientBase, objectId: string): Promise<Pick<AssignReport, 'source' | 'previous'>> {
  const { rows } = await client.query<SourceRow>(FIND_SOURCE, [objectId]);
  const [found] = rows;
  if (found === undefined) {
    throw new OperationError('source_not_found', `No subscription or checkout session ${objectId} is stored`);
  }
  if (found.mode !== null && found.mode !== 'payment') {
    throw new OperationError(
      'source_belongs_to_subscription',
      `Session ${objectId} grants nothing by itself: assign the subscription that it started`,
    );
  }
  const { source, user_id: userId, project_id: projectId, app_id: appId } = found;
  return { source, previous: { userId, projectId, appId } };
}
