import { defineCommand } from '../command';
import { takeStep } from '../move';
import { flag, optional, text } from '../values';

export const moveRollBack = defineCommand({
  name: 'move roll-back',
  summary: 'Lets the old server take the writes of billing again, with what was written since the cut-over',
  details:
    'Before the cut-over it gives the move up. Killed, the same command continues it. Repeated after the end, it removes what was left on a new server that did not answer.',
  effect: 'changes',
  changes: 'which server billing is on; ends replication and removes what the move made on the old server.',
  json: 'the report `change` of `lambdas/move/contract.ts`',
  arguments: {},
  options: {
    abandon: flag(
      'Where the new server does not answer, or both took writes: lose what has not arrived at the old one',
    ),
    confirm: optional(text('address'), 'The old server as `host:port/database`, typed'),
  },
  examples: [
    {
      line: 'move roll-back --confirm old.example.com:5432/billing',
      explains: 'Go back to the old server, losing nothing.',
    },
  ],
  run: (context, { abandon, confirm }) =>
    takeStep(context, 'roll-back', {
      typed: confirm,
      abandon,
      consequence: 'The old server would take the writes of billing.',
    }),
});
