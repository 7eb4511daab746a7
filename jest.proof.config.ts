import type { Config } from 'jest';
import base from './jest.config';

/**
 * The heavier proof: what needs a tool that npm does not have, or more time than `npm test` may take. A test whose tool
 * cannot be had says so loudly and is skipped.
 */
const config: Config = {
  ...base,
  testMatch: ['<rootDir>/test/proof/**/*.proof.ts'],
  maxWorkers: 1,
  testTimeout: 300_000,
};

export default config;
