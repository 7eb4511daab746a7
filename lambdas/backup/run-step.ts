import { describeArchive } from './archive-database';
import { copyPart, planArchive, type StepDependencies } from './archive-steps';
import type { StepReport, StepRequest } from './contract';
import { publishArchive } from './publish-archive';
import { describeSchemaChange } from './schema-change';

/**
 * One step of the archive of a database that stands still.
 *
 * @throws OperationError as {@link planArchive}, {@link copyPart} and {@link publishArchive} describe
 */
export async function runStep(dependencies: StepDependencies, request: StepRequest): Promise<StepReport> {
  switch (request.step) {
    case 'plan':
      return planArchive(dependencies, request);
    case 'part':
      return copyPart(dependencies, request);
    default: {
      const { published, outcome } = await publishArchive(dependencies, request);
      // Of the whole archive, not of the call that publishes it.
      const { startedAt, finishedAt } = published.manifest;
      const archive = describeArchive(published, outcome, new Date(startedAt), new Date(finishedAt));
      if (outcome !== 'created') return { step: 'publish', archive };
      const schemaChange = await describeSchemaChange(dependencies, published.manifest);
      return { step: 'publish', archive: { ...archive, schemaChange } };
    }
  }
}
