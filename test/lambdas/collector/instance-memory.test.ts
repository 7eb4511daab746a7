import { classMemoryGib } from '../../../lambdas/collector/instance';

test.each([
  ['db.t4g.micro', 1],
  ['db.t4g.medium', 4],
  ['db.m7g.large', 8],
  ['db.m7g.xlarge', 16],
  ['db.m6i.4xlarge', 64],
  ['db.r8g.large', 16],
  ['db.r6gd.16xlarge', 512],
  ['db.x2g.large', 32],
  ['db.x2iedn.xlarge', 128],
])('%s has %i GiB of memory', (instanceClass, gib) => {
  expect(classMemoryGib(instanceClass)).toBe(gib);
});

test.each(['db.q1.large', 'db.m7g.huge', 'm7g.large', 'db.serverless'])('%s is refused by name', (instanceClass) => {
  expect(() => classMemoryGib(instanceClass)).toThrow(`The memory of class ${instanceClass} is not known`);
});
