import { IMPORT_IDENTIFIERS, importMapping, type StackEvent } from '../../../lib/stacks/import-mapping';
import { resourcesOf, templatesOf } from '../support';

/** The events of the removal of a stack: what has a policy to be kept is skipped. */
function removalOf(part: 'data' | 'recovery'): StackEvent[] {
  const template = templatesOf('production')[part];
  if (!template) throw new Error(`production has no ${part}`);
  return Object.entries(resourcesOf(template)).map(([LogicalResourceId, { Type, DeletionPolicy }]) => ({
    LogicalResourceId,
    PhysicalResourceId: `id of ${LogicalResourceId}`,
    ResourceType: Type,
    ResourceStatus: DeletionPolicy?.startsWith('Retain') ? 'DELETE_SKIPPED' : 'DELETE_COMPLETE',
  }));
}

test.each(['data', 'recovery'] as const)(
  'everything that %s keeps when it is removed can be imported again',
  (part) => {
    const events = removalOf(part);
    const kept = events.filter(({ ResourceStatus }) => ResourceStatus === 'DELETE_SKIPPED');
    expect(kept.length).toBeGreaterThan(5);
    const mapping = importMapping(events);
    expect(Object.keys(mapping).toSorted()).toEqual(kept.map(({ LogicalResourceId }) => LogicalResourceId).toSorted());
    for (const { LogicalResourceId, ResourceType } of kept) {
      expect(mapping[LogicalResourceId]).toEqual({
        [IMPORT_IDENTIFIERS[ResourceType] ?? 'none']: `id of ${LogicalResourceId}`,
      });
    }
  },
);

test('of a resource that was kept twice, the newest is imported', () => {
  const event = { LogicalResourceId: 'Key', ResourceType: 'AWS::KMS::Key', ResourceStatus: 'DELETE_SKIPPED' };
  const events = [
    { ...event, PhysicalResourceId: 'new' },
    { ...event, PhysicalResourceId: 'old' },
  ];
  expect(importMapping(events)).toEqual({ Key: { KeyId: 'new' } });
});

test('events of another stack are refused with what to pass', () => {
  expect(() => importMapping([])).toThrow('pass the events of the stack that was removed, by its id');
});
