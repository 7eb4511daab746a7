import { table } from '../runtime/console';
import { deliver } from '../stripe/delivery';
import { check, waitUntil } from './check';
import { readLedger } from './ledger';
import { playScenario } from './scenario';
import type { Step } from './steps';

const ACCEPTED = 200;
const REFUSED = 400;
/** Generous: the batching window is a second, and the first event starts the processor. */
const LEDGER_TIMEOUT_MS = 20_000;

/** Sends signed events over HTTP and waits until the ledger has each genuine one, exactly once. */
export const deliverEvents: Step = {
  title: 'Deliver signed events to the endpoint',
  async run(context, tell) {
    const { platform, billing, stripe } = context;
    const scenario = playScenario(stripe);
    context.scenario = scenario;
    const rows: string[][] = [];
    const unexpected: string[] = [];
    for (const { event, note, forged } of scenario.deliveries) {
      const secret = forged ? 'whsec_of_somebody_else' : platform.signingSecret;
      const { status, body, durationMs } = await deliver(event, { url: platform.endpoint, secret });
      rows.push([String(status), event.type, `${durationMs.toFixed(0)} ms`, note]);
      if (status !== (forged ? REFUSED : ACCEPTED)) unexpected.push(`${event.type} was answered ${status} ${body}`);
    }
    for (const line of table(['status', 'event', 'answer', ''], rows)) tell(line);
    check(unexpected.length === 0, unexpected.join('; '));

    const sent = performance.now();
    const genuine = new Set(scenario.deliveries.filter(({ forged }) => !forged).map(({ event }) => event.id));
    await waitUntil(async () => {
      const ledger = await readLedger(billing);
      const settled = (id: string) => ['processed', 'ignored'].includes(ledger.get(id)?.status ?? '');
      const open = [...genuine].filter((id) => !settled(id));
      const errors = open.flatMap((id) => ledger.get(id)?.error ?? []);
      return open.length === 0 ? undefined : `${open.length} events are not settled. ${errors.join('; ')}`.trim();
    }, LEDGER_TIMEOUT_MS);
    const ledger = await readLedger(billing);
    // Other events are no failure: the operator may be sending some meanwhile.
    const refused = scenario.deliveries.filter(({ forged, event }) => forged && ledger.has(event.id));
    check(
      refused.length === 0,
      `the ledger has events that were refused: ${refused.map(({ event }) => event.id).join()}`,
    );
    tell(
      `${scenario.deliveries.length} requests, ${genuine.size} events in the ledger, all settled ` +
        `${(performance.now() - sent).toFixed(0)} ms after the last; the duplicate and the forged one left no row`,
    );
  },
};
