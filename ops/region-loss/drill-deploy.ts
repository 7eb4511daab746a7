import { setTimeout as sleep } from 'node:timers/promises';
import { functionName } from '../../core/contract';
import type { Context } from '../context';
import { SETTLED } from '../doctor/account-checks';
import { CommandError } from '../errors';
import type { SecondRegion } from './place';

/** States of a stack that is as it was before an update that failed. */
const ROLLED_BACK = /^(?:UPDATE|IMPORT)_ROLLBACK_COMPLETE$/;
/** Other states that no stack leaves by itself. */
const FAILED = /_FAILED$|^ROLLBACK_COMPLETE$/;
const STACKS = ['Data', 'Operations', 'Monitoring'];
/** Between two looks at the stacks: longer and longer. */
const FIRST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 15_000;

interface Seen {
  readonly status: string;
  readonly updatedAt: number | undefined;
}

/**
 * Waits until the stacks of the successor are there, which a person deploys.
 *
 * @throws CommandError `failed` for a stack whose deployment failed
 */
export async function waitUntilDeployed(
  { note, signal }: Context,
  place: SecondRegion,
  into: string,
): Promise<{ detail: string; result: undefined }> {
  const names = STACKS.map((stack) => functionName(into, stack));
  const before = await stacksOf(place);
  let said = '';
  let now = before;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(2 * pollMs, LONGEST_POLL_MS)) {
    const stateOf = (name: string) => stateFrom(before.get(name), now.get(name));
    const failed = names.find((name) => stateOf(name) === 'failed');
    if (failed !== undefined) {
      throw new CommandError(
        'failed',
        `${failed} is ${now.get(failed)?.status}: npx cdk deploy -c env=${into} says why; after ROLLBACK_COMPLETE, destroy it first. Then repeat the command`,
      );
    }
    const waiting = names.filter((name) => stateOf(name) !== 'deployed');
    if (waiting.length === 0) {
      const detail = said === '' ? 'was deployed before, and not timed' : `deployed in ${place.region}`;
      return { detail, result: undefined };
    }
    const status = waiting.map((name) => `${name} is ${now.get(name)?.status ?? 'not there'}`).join(', ');
    if (said === '') note(`Deploy it, in another terminal: npx cdk deploy -c env=${into} --all`);
    if (said !== status) note(`Waiting: ${status}`);
    said = status;
    await sleep(pollMs, undefined, { signal });
    now = await stacksOf(place);
  }
}

/** A stack that was rolled back before the drill looked is there as it was deployed; one that is rolled back since was not deployed. */
function stateFrom(before: Seen | undefined, now: Seen | undefined): 'deployed' | 'failed' | 'waiting' {
  if (now === undefined) return 'waiting';
  if (SETTLED.test(now.status)) return 'deployed';
  if (ROLLED_BACK.test(now.status)) {
    return before?.status === now.status && before.updatedAt === now.updatedAt ? 'deployed' : 'failed';
  }
  return FAILED.test(now.status) ? 'failed' : 'waiting';
}

async function stacksOf({ clients }: SecondRegion): Promise<Map<string, Seen>> {
  const { paginateDescribeStacks } = await import('@aws-sdk/client-cloudformation');
  const client = await clients.cloudFormation();
  const found = new Map<string, Seen>();
  for await (const { Stacks = [] } of paginateDescribeStacks({ client }, {})) {
    for (const { StackName = '', StackStatus: status = '', LastUpdatedTime } of Stacks) {
      found.set(StackName, { status, updatedAt: LastUpdatedTime?.getTime() });
    }
  }
  return found;
}
