import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CANARY_EVENT } from '../core/providers/contract';
import type { Context } from './context';
import { CommandError } from './errors';
import type { StoredSecret } from './put-api-key';
import { deliver, endpointOf } from './signed-delivery';

const ACCEPTED = 200;
/**
 * The endpoint looks a secret up when the one that it remembers, for a minute at most, did not sign an event; beside forged events it
 * may have to wait. Few attempts: each that comes too early counts as a rejected webhook.
 */
const ATTEMPTS_AFTER_MS = [0, 15_000, 30_000, 45_000, 65_000];

export interface NewSigningSecret {
  readonly value: string;
  /** Fields of the former one to keep for the overlap; none where Stripe issued none yet. */
  readonly former: object;
  /** Whether to prove it before it becomes current. */
  readonly isProven: boolean;
}

/**
 * Has the endpoint accept the new signing secret beside the current one, sends it an event of the platform's own signed with the
 * new one, and makes it current only once that was answered 200. That Stripe signs with it, only its first delivery shows.
 *
 * @returns the new version, and what was proven
 * @throws CommandError `refused` when the endpoint does not accept it; the former value then stays
 */
export async function putSigningSecret(
  context: Context,
  { client, arn, fields }: StoredSecret,
  { value, former, isProven }: NewSigningSecret,
): Promise<{ readonly versionId: string; readonly proof: string | null }> {
  const { PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const put = async (content: object): Promise<string> => {
    const command = new PutSecretValueCommand({ SecretId: arn, SecretString: JSON.stringify(content) });
    return (await client.send(command)).VersionId ?? '';
  };
  const { next: _, ...kept } = fields;
  const final = { ...kept, current: value, ...former };
  if (!isProven) return { versionId: await put(final), proof: null };
  await put({ ...kept, next: value });
  let proof: string;
  try {
    proof = await proveSigningSecret(context, value);
  } catch (error) {
    await put(kept);
    throw error;
  }
  return { versionId: await put(final), proof };
}

async function proveSigningSecret(context: Context, secret: string): Promise<string> {
  const { note, now, signal } = context;
  const url = await endpointOf(context);
  note(
    'Sending an event signed with the new secret, before it becomes current; beside forged events, it may take a minute',
  );
  const started = performance.now();
  let last = '';
  for (const after of ATTEMPTS_AFTER_MS) {
    await sleep(Math.max(0, after - (performance.now() - started)), undefined, { signal });
    const { status, answer } = await deliver(context, url, secret, JSON.stringify(canary(now())));
    if (status === ACCEPTED) return `${url} accepted an event signed with it`;
    last = `${status} ${answer}`;
  }
  throw new CommandError(
    'refused',
    `The former secret stays: ${url} answered an event signed with the new one ${last}`,
  );
}

/** As the function `canary` sends it: an event without effect, in every environment. */
function canary(now: Date): object {
  const moment = now.toISOString().replaceAll(/[-:.]/g, '');
  return {
    id: `${CANARY_EVENT.idPrefix}${moment}_${randomBytes(4).toString('hex')}`,
    object: 'event',
    type: CANARY_EVENT.type,
    api_version: null,
    created: Math.floor(now.getTime() / 1000),
    livemode: false,
    data: { object: { object: 'canary' } },
  };
}
