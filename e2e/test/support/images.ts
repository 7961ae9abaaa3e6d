import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Image = 'agent' | 'router' | 'operator';

/** The image's name: of `$AGENT_IMAGE`, `$ROUTER_IMAGE` or `$OPERATOR_IMAGE`, else built from the working tree and copied to the nodes by `e2e/images`. */
export async function image(name: Image): Promise<string> {
  const given = process.env[`${name.toUpperCase()}_IMAGE`];
  if (given !== undefined) return given;
  const { stdout } = await run(join(import.meta.dirname, '../../images'), [name], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}
