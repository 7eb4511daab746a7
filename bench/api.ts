/**
 * `npm run bench:api -- --url <address> --key <key>`: how fast entitlements are answered at a fixed rate, on the platform that
 * `npm start` runs and whose address and key it prints. Requests start by the clock, whether or not earlier ones are answered.
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    key: { type: 'string' },
    /** Requests a second. */
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
  },
});
const { url, key } = options;
if (url === undefined || key === undefined) throw new Error('Give --url and --key, as npm start prints them');
const rate = Number(options.rate);
const total = rate * Number(options.seconds);
/** The starts of instances, which Lambda counts apart. */
const WARM_UP = 200;

/** A connection for each request that is under way, closed before the server would close it. */
const agent = new Agent({ keepAlive: true, timeout: 2_000 });

async function request(index: number): Promise<number> {
  const started = performance.now();
  const route = `${url}/api/v1/entitlements/user-${index % 50}?project=project-1`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = get(route, { agent, headers: { authorization: `Bearer ${key}` } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject);
  });
  if (status !== 200) throw new Error(`${route} was answered ${status}`);
  return performance.now() - started;
}

async function atRate(count: number): Promise<number[]> {
  const started = performance.now();
  const running: Promise<number>[] = [];
  for (let index = 0; index < count; index += 1) {
    const wait = started + (index * 1_000) / rate - performance.now();
    if (wait > 1) await sleep(wait);
    running.push(request(index));
  }
  return Promise.all(running);
}

function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
}

async function main(): Promise<void> {
  await atRate(WARM_UP);
  const sorted = (await atRate(total)).toSorted((one, other) => one - other);
  const figures = [0.5, 0.95, 0.99].map((share) => `p${share * 100} ${percentile(sorted, share)} ms`);
  console.log(`${total} requests at ${rate}/s: ${figures.join(', ')}`);
}

void main();
