import { callerName } from '../audit';
import { defineCommand } from '../command';
import { describeKeys, describeNewKey } from '../keys';
import { flag, keyId, optional, required, wholeNumber } from '../values';

const MAX_OVERLAP_HOURS = 7 * 24;

export const keysRotate = defineCommand({
  name: 'keys rotate',
  summary: 'Replaces a key of the HTTP API, and prints the new one once',
  details: 'Both are valid for the overlap, in which the application changes over.',
  effect: 'changes',
  changes: 'adds a key, and ends the old one after the overlap; with --dry-run, nothing.',
  json: 'the report `rotate` of `lambdas/keys/contract.ts`, which holds the key',
  arguments: { key: required(keyId, 'Id of the key, as `keys list` shows it, or the key itself') },
  options: {
    overlapHours: optional(wholeNumber('hours', 0, MAX_OVERLAP_HOURS), 'Hours for which both are valid. Default: 24'),
    dryRun: flag('Say which key would be replaced, and change nothing'),
  },
  examples: [
    { line: 'keys rotate 4fGh1kL0pQr2', explains: 'Give an application a new key, with a day to change over.' },
    { line: 'keys rotate 4fGh1kL0pQr2 --overlap-hours 0', explains: 'Replace a key that leaked.' },
  ],
  async run({ invoke, clients, target, now, style }, { key: id, overlapHours, dryRun }) {
    const { contract, rotateKeyReport } = await import('../../lambdas/keys/contract');
    const by = await callerName(clients, target);
    const request = { action: 'rotate' as const, id, overlapHours, by, dryRun };
    const report = await invoke('keys', { ...contract, report: rotateKeyReport }, request);
    const previous = describeKeys([report.previous], now(), style);
    return { report, lines: report.key === null ? previous : [...describeNewKey(report.key), '', ...previous] };
  },
});
