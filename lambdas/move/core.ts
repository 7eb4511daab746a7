import type { ChangeReport, CheckedMoveRequest, PlanReport, ProgressReport, VerifyReport } from './contract';
import { copy } from './copy';
import { cutOver } from './cut-over';
import { finish } from './finish';
import { planMove } from './plan';
import { progressOf } from './progress';
import { rollBack } from './roll-back';
import type { MoveDependencies } from './servers';
import { verify } from './verify';

/**
 * Takes one step of the move of the billing database to another server.
 *
 * @throws OperationError `move_out_of_order` naming the step that comes first, and what each step throws
 */
export async function move(
  dependencies: MoveDependencies,
  request: CheckedMoveRequest,
): Promise<PlanReport | ProgressReport | VerifyReport | ChangeReport> {
  switch (request.action) {
    case 'plan':
      return planMove(dependencies);
    case 'copy':
      return copy(dependencies);
    case 'progress':
      return progressOf(dependencies);
    case 'verify':
      return verify(dependencies, request);
    case 'cut-over':
      return cutOver(dependencies, request);
    case 'roll-back':
      return rollBack(dependencies, request);
    default:
      return finish(dependencies, request);
  }
}
