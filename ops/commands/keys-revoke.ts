import { callerName } from '../audit';
import { defineCommand } from '../command';
import { describeKeys } from '../keys';
import { flag, keyId, required } from '../values';

export const keysRevoke = defineCommand({
  name: 'keys revoke',
  summary: 'Makes a key of the HTTP API invalid, from the next request on and for good',
  effect: 'changes',
  changes: 'ends the key; with --dry-run, nothing.',
  json: 'the report `revoke` of `lambdas/keys/contract.ts`',
  arguments: { key: required(keyId, 'Id of the key, as `keys list` shows it, or the key itself') },
  options: { dryRun: flag('Say which key would be revoked, and change nothing') },
  examples: [{ line: 'keys revoke 4fGh1kL0pQr2', explains: 'Lock out whoever has the key.' }],
  async run({ invoke, clients, target, now, style }, { key: id, dryRun }) {
    const { contract, revokeKeyReport } = await import('../../lambdas/keys/contract');
    const by = await callerName(clients, target);
    const report = await invoke('keys', { ...contract, report: revokeKeyReport }, { action: 'revoke', id, by, dryRun });
    return { report, lines: describeKeys([report.revoked], now(), style) };
  },
});
