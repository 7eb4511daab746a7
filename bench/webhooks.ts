/** `npm run bench:webhooks`: how fast events are acknowledged and drained, beside others, in one run. */
import { parseArgs } from 'node:util';
import { messageOf } from '../core/runtime/errors';
import type { Teardown } from '../local/runtime/teardown';
import { runBenchmark } from './support/run-benchmark';
import { startBenchServer } from './support/server';
import { formatTable, progress, ratio, verdict, whole } from './support/table';
import { measureAcknowledgement, type Acknowledgement } from './webhooks/acknowledge';
import { CONCURRENCIES, measureDrain, type DrainResult } from './webhooks/drain';
import { stripeEngine, supabaseEngine } from './webhooks/engines';
import { floor } from './webhooks/floor';
import { processor, singleEventProcessor, verifyingProcessor } from './webhooks/ours';

const { values: options } = parseArgs({
  options: {
    /** Events of each timed run. */
    events: { type: 'string', default: '40000' },
    /** A smoke test of the benchmark itself; its figures mean nothing. */
    quick: { type: 'boolean', default: false },
    /** Leave out the peers. */
    alone: { type: 'boolean', default: false },
  },
});
const quick = options.quick;
const scale = {
  events: quick ? 400 : Number(options.events),
  subscriptions: quick ? 5_000 : 100_000,
  maxSeconds: quick ? 3 : 20,
  /** Seconds of requests at the target rate. */
  acknowledgeSeconds: quick ? 2 : 20,
};
if (!Number.isInteger(scale.events) || scale.events < 100) throw new Error('--events: expected a number from 100');

async function main(teardown: Teardown): Promise<void> {
  const acknowledgement = await measureAcknowledgement(teardown, scale.acknowledgeSeconds);
  const server = await startBenchServer(teardown);
  const results: DrainResult[] = [];
  for (const contender of [floor(), processor(), verifyingProcessor(), singleEventProcessor()]) {
    results.push(await measureDrain(server, contender, scale));
  }
  const peers: DrainResult[] = [];
  for (const peer of options.alone ? [] : [supabaseEngine(), stripeEngine()]) {
    if (peer === undefined) continue;
    try {
      peers.push(await measureDrain(server, peer, scale));
    } catch (error) {
      progress(`ABSENT: ${peer.name} does not run here, so it is NOT compared: ${messageOf(error)}`);
    }
  }
  console.log(report(acknowledgement, results, peers));
}

function report(acknowledgement: Acknowledgement, own: readonly DrainResult[], peers: readonly DrainResult[]): string {
  const [base, ours, , single] = own;
  if (base === undefined || ours === undefined || single === undefined) throw new Error('Nothing was measured');
  const results = [...own, ...peers];
  const { refused, p50Ms, p95Ms, p99Ms, ratePerSecond, cpuMsPerRequest, maxRatePerSecond, pinned } = acknowledgement;
  const drained = formatTable(
    [
      'events/s',
      'empty, 1',
      'empty, 10',
      'full, 1',
      'full, 10',
      '× floor (full, 10)',
      'full/empty',
      'statements/event',
      'CPU ms/event, PostgreSQL + Node',
    ],
    results.map(({ name, empty, full }) => [
      name,
      whole(empty[1].eventsPerSecond),
      whole(empty[10].eventsPerSecond),
      whole(full[1].eventsPerSecond),
      whole(full[10].eventsPerSecond),
      ratio(full[10].eventsPerSecond, base.full[10].eventsPerSecond),
      ratio(full[10].eventsPerSecond, empty[10].eventsPerSecond),
      full[10].statementsPerEvent.toFixed(2),
      `${full[10].cpuMsPerEvent.server.toFixed(2)} + ${full[10].cpuMsPerEvent.client.toFixed(2)}`,
    ]),
  );
  const scans = formatTable(
    ['on the full database', 'rows read by sequential scans, per event'],
    results.map(({ name, scannedRowsPerEvent }) => [name, whole(scannedRowsPerEvent)]),
  );
  const plans = ours.plans.map(({ statement, access }) =>
    [`${statement} …`, ...access.map((step) => `    ${step}`)].join('\n'),
  );
  const scanned = ours.plans.flatMap(({ sequentialScans }) => sequentialScans);
  const ofFloor = ours.empty[10].eventsPerSecond / base.empty[10].eventsPerSecond;
  const ofFullFloor = ours.full[10].eventsPerSecond / base.full[10].eventsPerSecond;
  const kept = ours.full[10].eventsPerSecond / ours.empty[10].eventsPerSecond;
  return [
    `Acknowledge, bundled handler in one process${pinned ? ' on one core' : ''}: ${whole(ratePerSecond)} requests/s, ${whole(refused)} refused`,
    `p50 ${p50Ms.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; ` +
      `${cpuMsPerRequest.toFixed(2)} ms of CPU each; at most ${whole(maxRatePerSecond)} requests/s`,
    '',
    `Drain, ${whole(scale.events)} events a run; full = ${whole(scale.subscriptions)} subscriptions already there`,
    drained,
    '',
    scans,
    '',
    'Plans of the processor on the full database',
    ...plans,
    '',
    verdict('acknowledge p95 under 10 ms at 1,000/s', `${p95Ms.toFixed(1)} ms`, p95Ms < 10 && refused === 0),
    verdict('at least 2 × the floor drained, 10 at once', `${ofFloor.toFixed(2)} ×`, ofFloor >= 2),
    verdict('the same on the full database', `${ofFullFloor.toFixed(2)} ×`, ofFullFloor >= 2),
    ...singleEventVerdicts(single, peers),
    verdict('hardly slower on the full database', `${kept.toFixed(2)} × of the empty one`, kept >= 0.8),
    verdict(
      'at most 0.2 statements per event',
      ours.full[10].statementsPerEvent.toFixed(2),
      ours.full[10].statementsPerEvent <= 0.2,
    ),
    verdict('no sequential scan of a large table', scanned.join(', ') || 'none', scanned.length === 0),
    ...(quick ? ['', 'A --quick run: it proves that the benchmark works, and measures nothing.'] : []),
  ].join('\n');
}

/** Single events, beside the better peer of each column. */
function singleEventVerdicts(single: DrainResult, peers: readonly DrainResult[]): string[] {
  if (peers.length === 0) return [];
  return (['empty', 'full'] as const).flatMap((filled) =>
    CONCURRENCIES.map((concurrency) => {
      const rate = (result: DrainResult): number => result[filled][concurrency].eventsPerSecond;
      const ofBetter = rate(single) / Math.max(...peers.map(rate));
      return verdict(
        `single events as fast as the better peer, ${filled}, ${concurrency} at once`,
        `${ofBetter.toFixed(2)} ×`,
        ofBetter >= 1,
      );
    }),
  );
}

void runBenchmark(main);
