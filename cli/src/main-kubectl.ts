import { execute } from './program.ts';

process.exitCode = await execute(process.argv.slice(2), 'kubectl replpool');
// As main.ts.
process.exit();
