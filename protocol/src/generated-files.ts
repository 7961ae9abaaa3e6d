import { stringify } from 'yaml';
import { replPoolCrd } from './crd.ts';
import { errorsPage } from './errors-page.ts';
import { openApiDocument } from './openapi.ts';

const NOTICE = '# Generated from protocol/src/replpool.ts by `npm run generate`. Do not edit.\n';

/** Every file that is made from the schemas, by its path from the repository's root. */
export function generatedFiles(): Record<string, string> {
  const crd = NOTICE + stringify(replPoolCrd(), { lineWidth: 0, aliasDuplicateObjects: false });
  return {
    'crds/replpools.replpool.dev.yaml': crd,
    // Copies, for neither Helm nor kustomize reads what lies outside of its own folder.
    'charts/replpool/files/replpools.replpool.dev.yaml': crd,
    'deploy/kustomize/base/replpools.replpool.dev.yaml': crd,
    'openapi.json': `${JSON.stringify(openApiDocument(), null, 2)}\n`,
    'docs/errors.md': errorsPage(),
  };
}
