// Of tests that leave a socket, a server or a process behind, mocha would never end. It ends half a minute later, and says what they left.
const PATIENCE_MS = 30_000;

export function mochaGlobalTeardown() {
  setTimeout(() => {
    console.error('mocha: all tests have ended, and something that they left keeps the process:');
    for (const handle of process._getActiveHandles()) console.error(`  ${describe(handle)}`);
    console.error(`  ${process.getActiveResourcesInfo().join(' ')}`);
    // With the status that mocha sets at the end.
    process.exit();
  }, PATIENCE_MS).unref();
}

function describe(handle) {
  const { spawnargs, pid, localAddress, localPort, remoteAddress, remotePort, listening, fd } = handle;
  const kind = handle.constructor?.name ?? typeof handle;
  if (spawnargs !== undefined) return `${kind} ${pid}: ${spawnargs.join(' ')}`;
  if (listening) return `${kind} listens on ${JSON.stringify(handle.address())}`;
  return `${kind} ${fd ?? ''} ${localAddress ?? ''}:${localPort ?? ''} → ${remoteAddress ?? ''}:${remotePort ?? ''}`;
}
