import { NAMED, templatesOf } from './support';

// Keeps the templates of every named environment in the folder of the global setup, which starts this in a process of its own:
// the framework is loaded once, and runs twice as fast outside of jest.
for (const name of NAMED) templatesOf(name);
