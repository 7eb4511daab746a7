import { defineCommand } from '../command';
import { table } from '../print/table';
import { counted, moment } from '../print/units';

export const entitlementsUnowned = defineCommand({
  name: 'entitlements unowned',
  summary: 'Lists running subscriptions and paid purchases of which nothing says to which user they belong',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `unowned` of `lambdas/entitlements/contract.ts`, without `after`',
  finding: 'one of them would grant something',
  arguments: {},
  options: {},
  examples: [{ line: 'entitlements unowned', explains: 'Who paid and gets nothing?' }],
  async run({ invoke, note, signal, style, now }) {
    const { contract, unownedReport } = await import('../../lambdas/entitlements/contract');
    const list = { ...contract, report: unownedReport };
    let answer = await invoke('entitlements', list, { action: 'unowned' });
    const unowned = [...answer.unowned];
    while (answer.after !== undefined) {
      signal.throwIfAborted();
      note(`${unowned.length} listed, continuing`);
      answer = await invoke('entitlements', list, { action: 'unowned', after: answer.after });
      unowned.push(...answer.unowned);
    }
    const rows = unowned.map(({ id, source, customerId, createdAt, features }) => [
      `${source} ${id}`,
      customerId ?? '',
      moment(createdAt, now()),
      features.length === 0 ? 'nothing' : features.join(', '),
    ]);
    const granting = unowned.filter(({ features }) => features.length > 0);
    return {
      report: { unowned },
      lines:
        rows.length === 0
          ? ['Everything that is paid belongs to a user']
          : [
              ...table(['what', 'customer', 'made', 'would grant'], rows, style),
              `${counted(granting.length, 'customer')} paid and ${granting.length === 1 ? 'gets' : 'get'} nothing`,
            ],
      exit: granting.length > 0 ? 'finding' : 'done',
    };
  },
});
