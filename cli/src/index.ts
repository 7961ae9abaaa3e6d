export { CommandFailure, ExitCode } from './failure.ts';
export { execute } from './program.ts';
