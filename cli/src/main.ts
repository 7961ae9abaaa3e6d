import { execute } from './program.ts';

process.exitCode = await execute(process.argv.slice(2));
// What is still open by now (a terminal, an idle keep-alive socket) must not hold the process.
process.exit();
