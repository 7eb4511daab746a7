import type { CanaryReport } from '../../lambdas/canary/contract';
import { check } from './check';
import { readLedger } from './ledger';
import type { Step } from './steps';

/** What the schedule does every five minutes. */
export const sendCanary: Step = {
  title: 'Send the canary through the endpoint',
  async run({ platform, billing }, tell) {
    const { eventId, acknowledgedMs, recordedMs } = (await platform.invoke('canary', {})) as CanaryReport;
    const row = (await readLedger(billing)).get(eventId);
    check(row?.status === 'ignored', `${eventId} is ${row?.status ?? 'not in the ledger'}`);
    tell(`${eventId}: answered after ${acknowledgedMs} ms, in the ledger after ${recordedMs} ms`);
  },
};
