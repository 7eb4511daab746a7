import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { restoreCopy } from '../../ops/region-loss/drill-restore';

const EXECUTION = { database: 'billing', archive: 'slot', arn: 'arn:execution' };

test.each([
  ['is forgotten once it is stopped', undefined, [], 'Stopped arn:execution, which was restoring billing'],
  ['stays known while it cannot be stopped', new Error('no'), [EXECUTION], expect.stringContaining('Stop it: aws')],
])('a workflow that could not be put on record %s', async (_, refusal, executions, note) => {
  const sfn = mockClient(SFNClient);
  if (refusal === undefined) sfn.on(StopExecutionCommand).resolves({});
  else sfn.on(StopExecutionCommand).rejects(refusal);
  const notes: string[] = [];
  const record = { executions: [] };
  const drill = {
    record,
    context: { note: (line: string) => notes.push(line) },
    save: () => Promise.reject(new Error('SlowDown')),
  };
  const successor = {
    invoke: async () => ({ outcome: 'started', execution: 'arn:execution' }),
    clients: { stepFunctions: async () => sfn },
  };
  const archive = { database: 'billing', slot: 'slot', manifestSha256: '' };
  await expect(restoreCopy(drill as never, successor as never, archive as never, 'scratch')).rejects.toThrow(
    'SlowDown',
  );
  expect({ executions: record.executions, notes }).toEqual({ executions, notes: [note] });
});
