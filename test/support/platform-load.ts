import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLATFORM_FILE, platformFile } from '../../local/platform/contract';
import { deliver } from '../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../local/stripe/objects';
import type { StartedPlatform } from '../ops/started-platform';

/** Senders of webhooks, each with one request at a time, where no rate is given. */
const SENDERS = 4;
const READ_EVERY_MS = 50;
/** Requests that may be unanswered at a time; with more, the load stays behind its rate, and its figures say so. */
const MOST_UNANSWERED = 50;

/** Webhooks and reads that go on while something else happens. */
export interface Load {
  readonly sent: string[];
  readonly failures: string[];
  reads(): number;
  seconds(): number;
  /** Milliseconds within which that share of the webhooks was answered. */
  answeredWithinMs(share: number): number;
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Webhooks a second, sent whether or not those before were answered. @default as many as {@link SENDERS} get answered */
  readonly perSecond?: number;
  /** Secrets that Stripe signs with. @default that of the platform */
  readonly signingSecrets?: () => readonly string[];
}

/**
 * Webhooks, and reads of entitlements.
 *
 * @param key of the API
 */
export function startLoad(platform: StartedPlatform, key: () => string, options: LoadOptions = {}): Load {
  const { apiUrl, webhookUrl: url } = platformFile.parse(
    JSON.parse(readFileSync(path.join(platform.folder, PLATFORM_FILE), 'utf8')),
  );
  const { perSecond, signingSecrets = () => [platform.signingSecret] } = options;
  const [sent, failures, durations]: [string[], string[], number[]] = [[], [], []];
  const started = performance.now();
  let reads = 0;
  let running = true;
  const attempt = (request: () => Promise<void>): Promise<void> =>
    request().catch((error: unknown) => void failures.push(String(error)));
  const repeated = async (everyMs: number, request: () => Promise<void>): Promise<void> => {
    while (running) {
      const begun = performance.now();
      await attempt(request);
      await sleep(Math.max(0, everyMs - (performance.now() - begun)));
    }
  };
  let number = 0;
  const webhook = async (): Promise<void> => {
    const event = eventObject(
      'customer.subscription.created',
      subscriptionObject({ id: `sub_loaded${(number += 1)}` }),
    );
    const { status, body, durationMs } = await deliver(event, { url, secret: signingSecrets() });
    if (status !== 200) throw new Error(`a webhook is answered ${status} ${body}`);
    sent.push(event.id);
    durations.push(durationMs);
  };
  const read = async (): Promise<void> => {
    const headers = { authorization: `Bearer ${key()}` };
    const { status } = await fetch(`${apiUrl}/api/v1/entitlements/ann?project=p1`, { headers });
    if (status !== 200) throw new Error(`a read is answered ${status}`);
    reads += 1;
  };
  const atRate = async (rate: number): Promise<void> => {
    const unanswered = new Set<Promise<void>>();
    while (running) {
      const due = Math.floor(((performance.now() - started) / 1000) * rate);
      while (number < due && unanswered.size < MOST_UNANSWERED) {
        const request = attempt(webhook).finally(() => unanswered.delete(request));
        unanswered.add(request);
      }
      await sleep(5);
    }
    await Promise.all(unanswered);
  };
  const webhooks =
    perSecond === undefined ? Array.from({ length: SENDERS }, () => repeated(0, webhook)) : [atRate(perSecond)];
  const work = [...webhooks, repeated(READ_EVERY_MS, read)];
  return {
    sent,
    failures,
    reads: () => reads,
    seconds: () => (performance.now() - started) / 1000,
    answeredWithinMs: (share) =>
      durations.toSorted((one, other) => one - other)[Math.ceil(durations.length * share) - 1] ?? 0,
    async stop() {
      running = false;
      await Promise.all(work);
    },
  };
}

/** Ends the process of a function, as if Lambda had ended it. */
export function killFunction(platform: StartedPlatform, stem: string): void {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const ours = pids.filter((pid) => {
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      return (
        variables.includes(`AWS_LAMBDA_FUNCTION_NAME=BillingOps-local-${stem}`) &&
        variables.some((variable) => variable.startsWith(`LAMBDA_TASK_ROOT=${platform.folder}/`))
      );
    } catch {
      return false;
    }
  });
  if (ours.length !== 1) throw new Error(`${ours.length} processes of ${stem} run`);
  process.kill(Number(ours[0]), 'SIGKILL');
}
