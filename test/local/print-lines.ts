import { say } from '../../local/runtime/console';
import { onInterrupt } from '../../local/runtime/interrupt';

/** Program of the interrupt test: prints lines until it is stopped, then ends in order, with status 7. */
const timer = setInterval(() => say('line'), 5);
onInterrupt(() => {
  clearInterval(timer);
  setTimeout(() => process.exit(7), 50);
});
