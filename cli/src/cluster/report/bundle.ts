import { stringify } from 'yaml';
import type { Findings, FoundText } from './findings.ts';
import { knownSecrets } from './known-secrets.ts';
import { masked } from './mask.ts';
import { redacted } from './redact.ts';

const readme = `A report of ReplPool, made by \`kubectl replpool report\`.

versions.json   of the command, the API server, Node.js and the images
status.txt      the pools, as \`kubectl replpool status -o wide\` shows them
namespaces/     objects, logs and metrics, by namespace and pod
nodes.yaml      what the pods' nodes are and have
errors.txt      what could not be read, or was left out

Secrets were not read. Values of environment variables, warm-up code, annotations and ConfigMaps that are not ReplPool's are left out, and what
looks like a key, token or password is replaced in all files, as is every value that was left out, wherever it stands. Look through it before
you give it away: what a program writes into its log is known to nobody else.
`;

/** The files of a report, and the one place where findings become text that leaves: all of it goes through here. */
export function bundle(findings: Findings, names: ReadonlySet<string>): FoundText[] {
  const known = knownSecrets(
    findings.objects.flatMap(({ objects }) => objects),
    names,
  );
  const mask = (text: string): string => masked(text, known);
  const objects = findings.objects.map(({ path, objects: found }) => ({
    path,
    text: found.map((object) => stringify(redacted(object, mask), { lineWidth: 0 })).join('---\n'),
  }));
  const texts = findings.texts.map(({ path, text }) => ({ path, text: mask(text) }));
  const errors = mask(findings.errors.map((error) => `${error}\n`).join(''));
  return [
    { path: 'README.txt', text: readme },
    { path: 'errors.txt', text: errors === '' ? 'Nothing: all was read.\n' : errors },
    ...objects,
    ...texts,
  ];
}
