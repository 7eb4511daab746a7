import { ownId } from '../../core/billing/contract';

export const userId = ownId('a user');
export const projectId = ownId('a project');
export const appId = ownId('an app');
export const itemId = ownId('what is bought');
